import { EVERYWHERE, INPUT, Rule, Severity, Target } from '../rule';

const WHERE = INPUT | Target.Path | Target.Referer | Target.UserAgent | Target.Headers | Target.FileNames;
const C = Severity.Critical;

/** In front of a program may stand where it is. */
const FOLDER = '(/(usr/(local/)?)?s?bin/)?';
/** Programs whose names are no words of a language. */
const PROGRAMS =
  '(ls|whoami|uname|pwd|printenv|lsof|netstat|ifconfig|hostname|traceroute|nslookup|curl|wget|lynx|ftp|tftp|scp|ssh|telnet|nc|ncat|netcat|socat|bash|sh|dash|zsh|ksh|csh|tcsh|busybox|python[23]?([.]\\d+)?|php\\d?|lua|gcc|awk|gawk|sed|egrep|grep|xargs|rm|mv|cp|ln|chmod|chown|chattr|mkdir|killall|pkill|printf|base64|xxd|hexdump|unzip|gzip|crontab|nohup|sudo|useradd|systemctl|docker|kubectl|apt-get|yum|apk|pip|npm|psql|redis-cli|tmux|uniq|whereis|vim|nano)';
/** Those whose names are: only with what looks like arguments of theirs. */
const WORDS =
  '(cat|tac|nl|less|more|head|tail|dir|id|ps|env|set|who|w|last|ss|ip|arp|route|ping|dig|host|fetch|links|fish|perl|ruby|node|cc|make|find|tee|touch|kill|sleep|echo|od|strings|tar|zip|dd|mount|at|su|passwd|service|apt|git|mysql|screen|rev|sort|cut|wc|file|stat|which|man|vi|ed)';
const ANY = '(' + PROGRAMS + '|' + WORDS + ')';
const BEFORE = '(;|\\||&&|&|`|\\$\\(|<\\(|>\\() ?(\\{ ?)?(\\w+=[\\w/.]* )?' + FOLDER;
const WINDOWS =
  '(cmd([.]exe)?|powershell([.]exe)?|pwsh|certutil|bitsadmin|mshta|rundll32|regsvr32|cscript|wscript|ipconfig|systeminfo|tasklist|taskkill|whoami|wmic|schtasks|findstr|icacls)( |[.]exe|/|$|[|&])|(net1?) (user|localgroup|view|use|share|start|group)|reg (query|add|save)|sc (query|create|stop|config)|(type|copy|del|dir|more|attrib|start) ([a-z]:|/[a-z])|dir$';

/** Commands and code that the server would run. */
export const CODE: Rule[] = [
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
      '( ?[;|&`)<>}]| (-[\\w-]|[/$.~]|\\d+$|\\d+[;|&`)]|[\\w.-]*/[\\w./-]*)|,/)|' +
      BEFORE +
      '(id|ps|env|set|dir|who|w)$',
    true,
  ),
  new Rule(
    'rce/substitution',
    C,
    1,
    WHERE,
    '\\$\\(\\(? ?' +
      FOLDER +
      ANY +
      '[ )]|` ?' +
      FOLDER +
      ANY +
      '[^`]*`|\\$\\{(ifs|path|home|pwd|shell|user|hostname|env|\\w+:\\d+:\\d+)|\\{' +
      ANY +
      ',',
    true,
  ),
  new Rule(
    'rce/shell',
    C,
    1,
    WHERE,
    '/(usr/(local/)?)?s?bin/(env |[bdczk]?a?sh|python|perl|ruby|php|nc|cat|id|wget|curl|ls)\\W?|(bash|sh) -[ci] |\\Wnc(at)? -\\w*[el]|/dev/(tcp|udp)/|\\Wmkfifo |\\W(python[23]?|perl|ruby|php|node) -[cre] |base64 (-d|--decode)|>& ?/dev/|0<&\\d|\\W(wget|curl) (-\\w+ )*(https?|ftp)://',
    true,
  ),
  new Rule(
    'rce/wildcard-path',
    C,
    1,
    WHERE,
    '/(b\\?n|bi\\?|\\?in|\\?\\?n|b\\?\\?|\\?\\?\\?|b\\[i\\]n|us\\?)/[\\w?*]{2,}|/e(t|\\?)(c|\\?)/p[a?s*]+(w|\\?|\\*)',
  ),
  new Rule(
    'rce/windows-command',
    C,
    1,
    WHERE,
    '(;|\\||&|%0a|`|\\() ?' +
      '(' +
      WINDOWS +
      ')|(^|\\W)cmd([.]exe)? ?/[ckr]\\W|powershell([.]exe)? .*(-e(nc|xec|p)?|-c(ommand)?|-nop|-w|iex|downloadstring|invoke-)|\\W(iex[ (]|invoke-(expression|webrequest|command)|new-object (net|system)[.])|certutil .*-urlcache|%(comspec|systemroot|temp|windir)%',
    true,
  ),
  new Rule('rce/shellshock', C, 1, EVERYWHERE, '\\( ?\\) ?\\{ ?[^}]*;? ?\\} ?;?'),
  new Rule(
    'java/log4shell',
    C,
    1,
    EVERYWHERE,
    '\\$\\{ ?(jndi|ctx|env|sys|java|lower|upper|main|date|docker|k8s|web|spring|bundle|log4j|::-|\\$\\{)|\\$\\{[^}]*:-[^}]*\\}',
  ),
  new Rule(
    'java/expression',
    C,
    1,
    WHERE,
    '(java[.](lang|io|net|util|nio)[.]|javax[.](script|naming|el|management)[.]|org[.](apache|springframework|codehaus|hibernate|jboss)[.]|ognl[.]|freemarker[.]template|com[.](sun|opensymphony|mchange)[.])[a-z.]+|runtime ?[.] ?getruntime|processbuilder|#(_memberaccess|context|request|parameters|application|session|cmd|rt|a)[ =.\\[(]|@[a-z.]+@[a-z]+|\\W(class|t) ?\\( ?[\'"]?java|[.]getclass ?\\(|[.]forname ?\\(|class[.](module[.])?classloader|\\.getmethods? ?\\(|^ro0ab|^aced0005|aced0005',
  ),
  new Rule(
    'java/template',
    C,
    1,
    WHERE,
    '(\\$|#|%|\\*|@|~)\\{ ?[^}]*(\\d ?[*+-] ?\\d|t ?\\(|new |getclass|class|runtime|request|session|application|config|self|self[.]|#|[.]exec|product|ex[.]|execute)',
  ),
  new Rule(
    'template/expression',
    C,
    1,
    WHERE,
    '\\{\\{ ?[^}]*(\\d ?\\* ?[\'"]?\\d|config|self|request|cycler|joiner|namespace|lipsum|class|mro|globals|subclasses|builtins|import|__|[.]constructor|range ?\\(|_self|app[.]|dump ?\\(|\\|)|\\{% ?(for|if|set|import|include|extends|block|macro|raw|debug|from)|<%=? ?[^%]*(\\d ?\\*|system|file|exec|`|eval|global|request|response|runtime|require|process)|#\\{ ?\\d ?\\*|\\{php\\}|\\{system ?\\(|#set ?\\(|<#assign',
  ),
  new Rule(
    'php/code',
    C,
    1,
    WHERE,
    '<\\?(php|=|$| )|\\?>$|\\W(system|exec|passthru|shell_exec|popen|proc_open|pcntl_exec|assert|eval|create_function|call_user_func(_array)?|preg_replace|file_(get|put)_contents|fopen|readfile|include(_once)?|require(_once)?|phpinfo|base64_decode|gzinflate|str_rot13|unserialize|curl_exec|move_uploaded_file|array_map|usort|ini_set|putenv|highlight_file|show_source|opendir|scandir|glob|var_dump|print_r|chr|die) ?\\( ?([\'"`$@\\\\]|\\)|chr|base64|\\w+\\()',
  ),
  new Rule(
    'php/variable',
    C,
    1,
    INPUT | Target.Headers,
    '\\$_(get|post|request|cookie|files|server|session|env)\\W|\\$(globals|http_(get|post|raw_post|cookie|env|server)_\\w+)|\\$\\{?[\'"]?_(get|post|request)',
  ),
  new Rule(
    'php/object',
    C,
    1,
    INPUT | Target.Headers,
    '[oac]:\\d+:"[\\w\\\\]+":\\d+:\\{|^[oa]:\\+?\\d+:(\\{|")|phar:[^ ]',
  ),
  new Rule(
    'node/code',
    C,
    1,
    WHERE,
    '\\Wrequire ?\\( ?[\'"`](child_process|fs|os|net|vm|http)|child_process|process[.](env|mainmodule|binding|exit|cwd|version|argv|kill)|(exec|spawn|fork)(file)?(sync)? ?\\( ?[\'"`]|_\\$\\$nd_func\\$\\$_|\\Wfunction ?\\( ?\\) ?\\{.*(require|process|return|settimeout)|global[.]process|import ?\\( ?[\'"`]',
  ),
  new Rule(
    'node/prototype',
    C,
    1,
    INPUT,
    '__proto__|constructor[\\[.][ \'"]*prototype|\\[ ?[\'"]?(__proto__|prototype)[\'"]? ?\\]',
  ),
  new Rule(
    'python/code',
    C,
    1,
    WHERE,
    '__(import|class|base|bases|mro|subclasses|globals|builtins|init|getattribute|reduce|code)__|\\Wos[.](system|popen|exec[lv]p?e?|spawn\\w+|environ)|subprocess[.](popen|call|run|check_)|\\W(exec|eval|compile|open) ?\\( ?[\'"]|pickle[.]loads|cos\\\\?nsystem|importlib',
  ),
  new Rule(
    'ruby/code',
    C,
    1,
    WHERE,
    '\\W(kernel|io|open3|process|file)[.](exec|system|popen|spawn|open|read|`)|%x[({\\[]|\\Winstance_eval|\\Wclass_eval|\\Wsend ?\\( ?:|yaml[.]load|!ruby/(object|hash|struct)|marshal[.]load|erb[.]new',
  ),
  new Rule(
    'xml/entity',
    C,
    1,
    INPUT,
    '<!(doctype|entity)[ ][^>]*(\\[|system|public|entity|%)|<xi:include|xmlns:xi ?=|xinclude|<xsl:(value-of|copy-of|include|import|script)',
  ),
  new Rule(
    'ssi/directive',
    C,
    1,
    WHERE,
    '<!--# ?(include|exec|echo|config|printenv|set|if|fsize|flastmod)\\W|<esi:(include|inline|remove|vars|debug|try)',
  ),
];
