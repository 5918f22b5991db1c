import { INPUT, Rule, Severity, Target } from '../rule';
import { oneOf } from '../words';

const WHERE = INPUT | Target.Path | Target.Referer | Target.UserAgent | Target.Headers | Target.FileNames;
const C = Severity.Critical;

/** Programs of Windows, which are looked for where a command may begin. */
const WINDOWS =
  '(' +
  oneOf(
    'cmd powershell pwsh certutil certreq bitsadmin mshta rundll32 regsvr32 regsvcs regasm cscript wscript ipconfig systeminfo tasklist taskkill whoami wmic schtasks findstr icacls cacls ' +
      'takeown attrib bcdedit bcdboot bootcfg chkdsk cmdkey cmstp diskpart diskshadow dism driverquery dsquery esentutl eventvwr eventcreate extrac32 forfiles fsutil getmac gpresult ' +
      'gpupdate installutil makecab mavinject mmc mofcomp mountvol msbuild msconfig msdt msiexec msinfo32 mstsc nbtstat netsh netstat nltest nslookup ntdsutil odbcconf openfiles pathping pcalua ' +
      'pnputil powercfg psexec qprocess quser qwinsta rasdial regedit regini robocopy rpcping runas sdbinst secedit setx sfc subst tftp tracert tscon typeperf vssadmin w32tm wbadmin ' +
      'wevtutil winrm winrs xcopy xwizard verclsid iwr irm iwmi gwmi gci saps spps sasv icm ipmo epcsv',
  ) +
  '([.](exe|com|bat))?( ?[<>|&/]| -|  ?[\\w"\'\\\\./:*%]|$))';
/** At the beginning of a value, where a word may begin a sentence as well. */
const LEADING_WINDOWS =
  oneOf(
    'cmd powershell pwsh certutil certreq bitsadmin mshta rundll32 regsvr32 cscript wscript ipconfig systeminfo tasklist taskkill wmic schtasks findstr icacls cacls takeown bcdedit bcdboot bootcfg chkdsk ' +
      'diskpart diskshadow dism driverquery forfiles fsutil getmac gpresult gpupdate msbuild msiexec nbtstat netsh nltest ntdsutil pathping psexec regedit robocopy tracert vssadmin wbadmin wevtutil winrm winrs xcopy',
  ) + '([.]exe)? ?(/[a-z?]|[<>|&]|-[a-z])';
const CMDLETS =
  '(' +
  oneOf(
    'add backup block checkpoint clear close compare complete compress convert convertfrom convertto copy debug disable dismount edit enable enter exit expand export find foreach format get grant group import ' +
      'initialize install invoke join limit lock measure merge mount move new open optimize out pop protect publish push read receive register remove rename repair reset resize resolve restart restore resume revoke ' +
      'save search select send set show sort split start stop suspend switch tee test trace unblock uninstall unlock unprotect unpublish unregister update use wait where write',
  ) +
  '-' +
  oneOf(
    'acl alias archive authenticodesignature bitstransfer bitlockervolume childitem cimclass ciminstance cimmethod cimsession clipboard clixml command computer computerinfo computerrestorepoint content controlpanelitem counter credential ' +
      'csv culture customobject data date dnsname dnsclientcache drive event eventlog eventsubscriber executionpolicy expression filehash formatdata gridview help history host hotfix html item itemproperty itempropertyvalue job json ' +
      'localgroup localgroupmember localuser location loggedon mailmessage markdown member module modulemanifest mppreference mpthreat netadapter netconnection netfirewallrule netipaddress netipconfiguration netroute nettcpconnection ' +
      'null object odbcdsn output package packageprovider path printer printjob process pscallstack psbreakpoint psdrive pshostprocessinfo psprovider psreadlineoption psrepository pssession pssessionconfiguration pssnapin psdebug random restmethod ' +
      'runspace scheduledjob scheduledtask scheduledtaskaction script scriptblock securestring service sleep smbshare smbmapping string suspendedjob tcpconnection timespan timezone tpmownerauth tracesource transaction transcript typedata type ' +
      'uiculture unique utcdate variable verbose warning webcontent webrequest webserviceproxy windowsfeature windowsupdatelog winevent wmievent wmimethod wmiobject wsmaninstance wsmansession xml aduser adgroup adcomputer addomain adobject host file',
  ) +
  ')';
const COMPARISON = '(==|equ|neq|lss|leq|gtr|geq)';

/** Commands that a shell of Windows would run. */
export const WINDOWS_SHELL: Rule[] = [
  new Rule(
    'rce/windows-command',
    C,
    1,
    WHERE,
    '(;|\\||&|%0a) ?' +
      WINDOWS +
      '|^ ?' +
      LEADING_WINDOWS +
      '|(;|\\||&|%0a|\\() ?((net1?) (user|localgroup|view|use|share|start|group)|reg (query|add|save)|sc (query|create|stop|config)|(type|copy|del|dir|more|attrib|start) ([a-z]:|/[a-z])|dir$)|(^|\\W)cmd([.]exe)? ?/[ckr]\\W|powershell([.]exe)? .*(-e(nc|xec|p)?|-c(ommand)?|-nop|-w|iex|downloadstring|invoke-)|\\Wiex[ (]|\\W' +
      CMDLETS +
      '(\\W)|\\Wnew-object (net|system)[.]|certutil .*-urlcache|%(comspec|systemroot|temp|windir|programfiles|appdata|userprofile)%',
    true,
  ),
  new Rule(
    'rce/windows-script',
    C,
    1,
    INPUT | Target.Headers,
    '\\Wfor (/[dflr] .*)?%{1,2}[^ ]* ?in ?\\([^)]*\\) ?do\\W|\\Wif ?(/i )?(not )?(exist|defined) [^ ]+( [^ ]+)? ?[(@]*(echo|cmd|goto|call|set|exit|copy|move|del|type|start|rem|else)\\W|\\Wif ?(/i )?(not )?(exist|defined) [^ ]+ \\(|\\Wif (/i )?(not )?(errorlevel|cmdextversion) \\d|\\Wif ?(/i )?(not )?\\(?["\'\\[({]?[^ ]+ (equ|neq|lss|leq|gtr|geq) |\\Wif ?/i (not )?[^ ]+ ?' +
      COMPARISON +
      '|\\Wif (not )?["\'\\[({]*x?[%!]~?\\w+[^ ]* ?==|\\Wif (not )?[^ =]+ ?={2,3} ?[^ ]+ [(@]*(echo|cmd|goto|call|set|exit|copy|del|type|cd) ',
  ),
  // Pieces of variables, and what only batch files have.
  new Rule(
    'rce/windows-variable',
    C,
    1,
    INPUT | Target.Headers | Target.UserAgent,
    '[%!]\\w+:~-?\\d+(,-?\\d+)?[%!]|%\\w+:[^%= ]+=[^% ]*%|@echo off|(^|[;&|\\n(] ?)set /[ap] "?\\w+ ?=|%~[dpnxfs]*\\d|\\Wcall :\\w|\\Wstart /(b|min|wait) |\\Wgoto :\\w|[a-z]\\^[a-z]\\^[a-z]\\^[a-z]',
  ),
  new Rule(
    'rce/windows-program',
    C,
    1,
    WHERE,
    '[;|&] ?"?[\\w\\\\/.:~-]*[.](exe|bat|cmd|ps1|vbs|hta|wsf|scr|cpl)"?( |$|[;|&<>])|(^|[;|&"] ?)([a-z]:|\\\\\\\\[\\w.-]+)\\\\[^ |<>*?"]*[.](exe|bat|cmd|ps1|vbs|hta|wsf|scr|cpl)"? ?([-/;|&<>]|\\w+[.])|(^|[;|&] ?)"?[\\w\\\\/.:~-]*[.](exe|bat|cmd|ps1|vbs|hta)"? (-\\w|/[a-z?]\\W|/[a-z]{2,8}:)',
  ),
  new Rule(
    'rce/powershell',
    C,
    1,
    WHERE,
    '\\[(system|convert|text|io|net|reflection|char|string|array|type|math|environment|diagnostics|scriptblock|ref|activator|runtime|appdomain|byte|int)([.][\\w.]+)?(\\[\\])?\\]( ?::|[$])|\\$(env:|executioncontext|psversiontable|pshome|pscommandpath|psscriptroot|shellid|verbosepreference|psitem)|\\$\\{env:|[.](downloadstring|downloadfile|downloaddata|uploadstring|invokescript|invokecommand|shellexecute)\\W|\\Wfrombase64string|\\W-(encodedcommand|executionpolicy|windowstyle|noprofile|noninteractive|noexit)\\W|-(ep|exec) bypass|-w(in)? hidden|(^|[;|=({] ?)[&.] ?\\( ?[\'"$(][^)]*\\)|\\| ?(iex|ogv|ft|fl|gm|sls|select-string|out-\\w+|convertto-\\w+|convertfrom-\\w+|foreach-object|where-object|% ?\\{|\\? ?\\{)(\\W)|\\Wnew-object |\\W(invoke|start|get|set|out|add|remove|new)-(expression|command|webrequest|restmethod|process|item|wmimethod|wmiobject|ciminstance|object|mimikatz|shellcode|obfuscation|eventlog|mppreference)\\W',
    true,
  ),
];
