import { EVERYWHERE, INPUT, Rule, Severity, Target } from '../rule';
import { oneOf } from '../words';

const WHERE = INPUT | Target.Path | Target.Referer | Target.UserAgent | Target.Headers | Target.FileNames;
const C = Severity.Critical;

/** In front of a program may stand where it is. */
const FOLDER = '([\\w./]*/)?';
/** Programs of Unix whose names are no words of a language. */
const PROGRAMS =
  oneOf(
    'ls whoami uname pwd printenv lsof netstat ifconfig hostname traceroute nslookup curl wget lynx ftp sftp tftp lftp ncftp scp rsync ssh ssh-keygen sshpass telnet ' +
      'nc ncat netcat socat bash sh  zsh ksh csh tcsh  rbash pdksh busybox toybox python pypy php lua luajit gcc clang awk gawk mawk nawk sed egrep fgrep zgrep grep ' +
      'xargs rm rmdir mv cp ln chmod chown chgrp chattr chroot mkdir mknod mkfifo mktemp killall pkill pgrep printf base32 base64 basenc xxd hexdump hd unzip gzip gunzip ' +
      'zcat bzip2 bunzip2 bzcat xz xzcat lzma zstd cpio bsdtar crontab nohup setsid sudo sudoedit pkexec  useradd userdel usermod groupadd adduser systemctl journalctl docker podman kubectl  ' +
      'apt-get aptitude dpkg dnf yum rpm apk pacman zypper opkg pip pipx npm npx pnpm    irb cpan  psql mysqldump mysqladmin sqlite3 mongo mongosh redis-cli pg_dump tmux uniq whereis ' +
      'vim vimdiff rvim  emacs gdb lldb strace ltrace perf tcpdump tshark nmap hping3 nft iptables ip6tables ipconfig dmesg sysctl lsblk lscpu lsmod lspci lsusb insmod modprobe fdisk mkfs umount df du ' +
      'openssl gpg nsenter unshare taskset stdbuf readlink realpath dirname basename uptime vmstat iostat mpstat pidstat getent setfacl getfacl ldd ldconfig objdump readelf ' +
      'visudo vipw vigr sshd inetd crond systemd-run systemd-resolve ansible ansible-config ansible-console ansible-doc ansible-galaxy ansible-inventory ansible-playbook ansible-pull ansible-vault  chef-client ' +
      'chef-run chef-shell chef-vault  cscli  facter terraform  aws gcloud gsutil az aria2c c89 c99 rmt rbenv pdb pry ghc ghci runghc erl iex jjs jshell jrunscript tclsh  rlwrap ' +
      'exiftool pdflatex pdftex xelatex lualatex nroff troff gcore  ffmpeg mencoder tasksh cobc posh yash fish-shell xdg-open xterm wish8 xmllint iconv dmsetup virsh  ptx ul tbl',
  ) + '([23]?([.]\\d+)*)';
/** Those whose names are words: only with what looks like arguments of theirs. */
const WORDS = oneOf(
  'cat tac nl less more head tail dir id ps env set who w last ss ip arp route ping dig host fetch links fish perl ruby node cc make find tee touch kill sleep ' +
    'echo od strings tar zip dd mount at su passwd service apt git svn mysql screen rev sort cut wc file stat which man vi ed ex exec eval source alias export unset declare ' +
    'go java javac julia nice time timeout watch split join fold expand paste shuf comm diff cmp patch crash expect dialog column tree free top htop kill wall write mail mutt pico view ' +
    'test true false read trap ulimit umask jobs history type command builtin shutdown reboot halt init ar as ld nm size strip script bridge look finger whois rc sash snap bundle composer nginx dash ash wish helm knife puppet vagrant chef rake gem gimp nano yarn doas conda',
);
const ANY = '(' + PROGRAMS + '|' + WORDS + ')';
/** What ends one command, or begins a list of others, and what may stand in front of the next. */
const BEFORE = '(;|\\||&|\\$\\(|[<>]\\() ?([({!] ?)*(\\w+=[\\w/.]* )*' + FOLDER;
/** What can only be arguments. */
const ARGUMENTS = ' ?(<{1,3}|>{1,2}|\\d>)|( --?[a-z][\\w-]*| [/$.~][\\w/.$*~]+| [\\w.-]*/[\\w./-]+)';
/** Behind a program with a word for a name. */
const SURE =
  '( ?[;|&`)<>}]| (-[\\w-]|[/$.~]|\\d+$|\\d+[;|&`)]|[\\w.-]*/[\\w./-]*|[\\w-]+[.](com|net|org|test|me|io|sh|php|conf|log|txt|py|pl|rb)\\W)|,/)';

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

/** Commands that a shell of the server would run. */
export const SHELL: Rule[] = [
  new Rule(
    'rce/unix-command',
    C,
    1,
    WHERE,
    BEFORE +
      PROGRAMS +
      '([ ;|&`)<>,}/-]|$)|' +
      BEFORE +
      WORDS +
      SURE +
      '|' +
      BEFORE +
      '(id|ps|env|set|dir|who|w)$',
    true,
  ),
  new Rule(
    'rce/leading-command',
    C,
    1,
    INPUT | Target.Headers,
    '^ ?((time|nice|nohup|exec|command|env|sudo|busybox|xargs|stdbuf|timeout \\d+) )*' +
      FOLDER +
      PROGRAMS +
      '(' +
      ARGUMENTS +
      '| ?[;|&]|\\{?,)|^ ?' +
      FOLDER +
      WORDS +
      ' (-[\\w-]+ )*(/(etc|proc|var|tmp|dev|usr|root|home|bin)/|[-/.~$][^ ]*[;|&] ?\\w)|^ ?(curl|wget|nslookup|ping|dig) [\\w-]+[.][\\w.-]+[/ ]?|^ ?(ansible[a-z-]*|chef-[a-z]+|cscli|visudo)( [\\w./@-]+)* ?$',
    true,
  ),
  new Rule(
    'rce/substitution',
    C,
    1,
    WHERE,
    '\\$\\(\\(? ?' +
      FOLDER +
      '([\\w-]+ [-/\\w$.~"\']|(whoami|id|ls|pwd|env|uname|hostname|ps|who|w|ifconfig|netstat|date|printenv|dir)\\))|\\{(ls|cat|echo|curl|wget|nc|bash|sh|id|ping|python3?|perl|rm|touch|base64|sleep|uname),|(^|[=;|&$,@\'"/\\w]|[;|&] )` ?' +
      FOLDER +
      ANY +
      '( [^`]*)?`([^\\w ]|$)|\\$\\{(ifs|path|home|pwd|shell|user|hostname|env|\\w+:\\d+:\\d+)|\\$\\([^()]{2,}\\)|[<>]\\( ?[a-z/][^)]*\\)|\\{[\\w/.-]+,[-/][^}]*\\}|(^|[ =;|&])~[+-](\\W|\\d)',
    true,
  ),
  new Rule(
    'rce/shell',
    C,
    1,
    WHERE,
    '/(usr/(local/)?)?s?bin/(env |[bdczk]?a?sh|python|perl|ruby|php|nc|cat|id|wget|curl|ls)\\W?|(^|\\W)(usr/|local/)?s?bin/' +
      PROGRAMS +
      '(\\W)|(bash|sh|\\$shell|\\$0|busybox) -[ci] |\\Wnc(at)? -\\w*[el]|/(tcp|udp)/[\\w.]+/\\d|/dev/(tcp|udp)/|\\Wmkfifo |\\W(python[23]?([.]\\d+)?|perl|ruby|php|node) (-[cre] |-c$)|base64 (-d|--decode)|>& ?/dev/|0<&\\d|\\W(wget|curl) (-\\w+ )*(https?|ftp)://|\\Walias ([+-]\\w+ )*[\\w.-]+ ?=|\\W[\\w./]*sh<{2,3}|\\W(irb|lua|perl|ruby|python[23]?|php)<{3}',
    true,
  ),
  new Rule(
    'rce/wildcard-path',
    C,
    1,
    WHERE,
    '/(b\\?n|bi\\?|\\?in|\\?\\?n|b\\?\\?|\\?\\?\\?|b\\[i\\]n|us\\?)/[\\w?*]{2,}|/(e\\?c|et\\?|\\?tc|e\\?\\?|\\?\\?c|e\\*|etc)/[\\w]*[?*][\\w?*]*|/etc/p[as]*[?*]+',
  ),
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
  new Rule('rce/shellshock', C, 1, EVERYWHERE, '\\( ?\\) ?\\{ ?[^}]*;? ?\\} ?;'),
];
