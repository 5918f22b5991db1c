import { EVERYWHERE, INPUT, Rule, Severity, Target } from '../rule';

const WHERE = INPUT | Target.Path | Target.Referer | Target.UserAgent | Target.Headers | Target.FileNames;
const C = Severity.Critical;

/** Code that the server would run. */
export const CODE: Rule[] = [
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
    '(java[.](lang|io|net|util|nio)[.]|javax[.](script|naming|el|management)[.]|org[.](apache|springframework|codehaus|hibernate|jboss)[.]|ognl[.]|freemarker[.]template|com[.](sun|opensymphony|mchange)[.])[a-z.]+|runtime ?[.] ?getruntime|processbuilder|#(_memberaccess|context|request|parameters|application|session|cmd|rt|a)[ =.\\[(]|@[a-z.]+@[a-z]+|\\W(class|t) ?\\( ?[\'"]?java|[.]getclass ?\\(|[.]forname ?\\(|class[.](module[.])?classloader|\\.getmethods? ?\\(|^ro0ab|^aced0005|aced0005|(org[.](omg|mozilla[.]javascript|python|jruby|codehaus|w3c|xml|ietf)|sun[.](misc|reflect|net)|weblogic|groovy[.](lang|util)|bsh|clojure[.](core|lang)|scala[.](sys|tools)|java[.](awt|beans|rmi|security|sql|text|applet|math|time)|javax[.]\\w+|jdk[.](jshell|internal))[.]\\w+|^(java|javax|org[.]omg)[.]\\w+([.]\\w+)+|\\W(invoker|instantiate|chained|constant|clone)transformer|\\W(templatesimpl|badattributevalueexpexception|annotationinvocationhandler|tiedmapentry|lazymap|jdbcrowsetimpl|objectinputstream|readobject ?\\(|urlclassloader|scriptenginemanager|xmldecoder|fileoutputstream|filewriter|beancomparator|methodclosure|prototypeserializationfactory|prototypeclonefactory|whileclosure|forclosure|getdeclared(method|field|constructor)|defineclass ?\\(|unmarshaller|xstream|yamlfactory|snakeyaml)|\\Wsetaccessible ?\\(|!!javax?[.]',
  ),
  new Rule(
    'java/template',
    C,
    1,
    WHERE,
    '(\\$|#|%|\\*|@|~)\\{ ?[^}]*(\\d ?[*+-] ?\\d|t ?\\(|new |getclass|class|runtime|request|session|application|config|self|self[.]|#|[.]exec|product|ex[.]|execute)|\\$\\{[^}]*[.(:*+?\'"@\\[][^}]*\\}|%\\{[^}]*[.(#@\'"*+][^}]*\\}|#\\{[^}]*[.(*+\'"][^}]*\\}',
  ),
  new Rule(
    'template/expression',
    C,
    1,
    WHERE,
    '\\{\\{ ?[^}]*(\\d ?\\* ?[\'"]?\\d|config|self|request|cycler|joiner|namespace|lipsum|class|mro|globals|subclasses|builtins|import|__|[.]constructor|range ?\\(|_self|app[.]|dump ?\\(|\\|)|\\{% ?(for|if|set|import|include|extends|block|macro|raw|debug|from)|<%=? ?[^%]*(\\d ?\\*|system|file|exec|`|eval|global|request|response|runtime|require|process)|#\\{ ?\\d ?\\*|\\{php\\}|\\{system ?\\(|#set ?\\(|<#assign|\\{\\{ ?[\'"\\[\\](]+[^}]*\\}\\}|\\[\\[\\$\\{|__\\$\\{|\\$\\{\\{|\\*\\{\\w|@\\(\\d+ ?[*+]|#\\{[^}]*(\\d ?[*+]|[.`(])|<#(list|if|import|include)|\\{\\{=|(^|[^{])\\{(%-?|#) ?\\w+|\\{\\{[=!~#/>&-]? ?[^}]*([(\\[+*%\'"]|\\$\\w|[.]\\w+\\(|==|&&)|\\{\\{-? ?(printf?|println|html|js|urlquery|template|define|block|call|index|len|range|with|slice) ?[\'"$.(]|\\{\\{[#~]?(with|lookup|each|unless|log|if) ?[\'"(@]|\\{\\$?smarty|\\{(system|exec|passthru|shell_exec|eval|phpinfo|readfile|file_get_contents|self|math|fetch|assign|include|include_php|function|literal|block)( \\w+ ?=|\\(|::|\\})|\\{!!|\\{%[ +-]?\\w+|<%[!@=#-]{0,2} ?[^%]*[(*+`\'"\\[|;]|#(foreach|evaluate|parse|include|macro|define|if|set) ?\\( ?[\'"$]|\\$!?\\{?\\w+[.](getclass|class|forname|getruntime|newinstance)|\\[#(assign|if|list|include|macro|import)|\\[=[^\\]]*[*+(]|@\\{? ?(system|html|viewbag|model|environment|process|activator|context|request)[.]\\w+|\\$\\{\\{|#\\{ ?[\'"`]|@php\\W|\\{\\{\\{?[^}]*\\d ?[*+/-] ?\\d|\\$\\{ ?\\d+ ?[*+/-]|\\{\\d+ ?[*+] ?\\d+\\}|<#-?-?[^>]*\\$|\\$\\{? ?(self|context|caller|local|parent|loop)[.]\\w+|\\W(lipsum|cycler|joiner|namespace|url_for|get_flashed_messages)[.(]|\\|attr ?\\(|\\|(safe|join|format|map|select|filter|reduce|sort|system) ?\\(? ?[\'"]',
  ),
  new Rule(
    'node/code',
    C,
    1,
    WHERE,
    '\\Wrequire ?\\( ?[\'"`](child_process|fs|os|net|vm|http)|child_process|process[.](env|mainmodule|binding|exit|cwd|version|argv|kill)|(exec|spawn|fork)(file)?(sync)? ?\\( ?[\'"`]|_\\$\\$nd_func\\$\\$_|\\Wfunction ?\\( ?\\) ?\\{.*(require|process|return|settimeout)|global[.]process|import ?\\( ?[\'"`]|\\Wfunction ?\\w* ?\\([^)]*\\) ?\\{[^}]*\\} ?(\\(|$)|\\Wconstructor[.]constructor|\\W(fs|child_process)[.](read|write|exec|spawn|unlink|append)\\w*|\\W(global|globalthis|process|module)[.](process|require|constructor|mainmodule|children)|\\$\\$nd_func|=> ?\\{? ?(require|process)|\\Wsettimeout ?\\( ?[\\\'"`f(]|\\W(exec|spawn|fork|execfile|readfile|writefile)sync\\(|\\Weval\\([^)]|\\Wbuffer[.]from ?\\(|\\Wmodule[.](constructor|_load)|\\Wthis[.]constructor|\\Wrequire ?[\\[(] ?[\'"`]|import ?\\( ?[\'"`]|\\W(process|global|globalthis|require|module|exports|root|window|this) ?\\[ ?[\'"`]\\w|\\Wprocess ?[.] ?(stdout|stdin|pid|ppid|memoryusage|abort|chdir|umask|getuid|setuid|execpath|dlopen|report|_\\w+|moduleloadlist)\\W|\\Wrequire ?[.] ?(main|resolve|cache|extensions)|\\Wnode:(fs|os|net|vm|http|https|child_process|worker_threads|process|module|dns|tls)[\'"`]|[.](runinnewcontext|runinthiscontext|runincontext|createcontext|compilefunction|createscript)\\W|[.](exec|spawn|fork|execfile|readdir|readfile|writefile|appendfile|unlink|rmdir|mkdir|rename|copyfile|symlink|chmod|exists|access|open|stat)sync\\W|\\W(fs|fsp|fs[.]promises)[.](readdir|readfile|writefile|createreadstream|createwritestream|exists|stat|rm|rename|copyfile|watch|open|access)\\w* ?\\(|\\W(res|response)[.](end|write|send|sendfile|download) ?\\( ?(require|process|string|global|fs|file|\\w+sync|[\'"`])|\\W(arguments[.]callee|preparestacktrace)|\\W[+,(] ?__(dirname|filename)\\W|\\Wnew (buffer|function|vm[.]script|proxy|worker) ?\\(|\\Wbuffer ?\\( ?[\'"`]|\\Wmodule[.](require|children|paths)|\\W(setinterval|setimmediate) ?\\( ?[\'"`f(]|\\Watob ?\\( ?[\'"`]|[\'"`] ?[+] ?[\'"`]\\w*[\'"`] ?[)\\]]|\\W(async )?\\(\\w*( ?, ?\\w+)*\\) ?=> ?\\{[^}]*\\} ?\\) ?\\(|\\Wtostring ?\\(\\) ?[.] ?constructor|[)\\]\'"}] ?[.] ?constructor ?[.(\\[]|\\Wnet[.](connect|createserver|socket) ?\\(|\\Wnew net[.]socket|\\Wcluster[.]fork|\\Wworker_threads\\W|\\Wdeno[.](run|command|readtextfile|env)|\\Wbun[.](spawn|file|write)|\\W(exec|spawn|fork)\\( ?[^)]|\\W(access|appendfile|chmod|chown|close|copyfile|cp|exists|fchmod|fchown|fdatasync|fstat|fsync|ftruncate|futimes|lchmod|lchown|link|lstat|lutimes|mkdir|mkdtemp|open|opendir|read|readdir|readfile|readlink|readv|realpath|rename|rm|rmdir|stat|statfs|symlink|truncate|unlink|utimes|write|writefile|writev|execfile|exec|spawn)sync ?([.]call ?)?\\(|\\W(createreadstream|createwritestream|unwatchfile|watchfile|readfile|writefile|appendfile|execfile) ?\\(|__js_function|_\\$\\$nd|\\Wnew ?function ?\\(|^ ?[(!]?(async )?function ?\\(\\) ?\\{|\\( ?[^\\w ]child_process|\\Wpromisify ?\\(|\\W(mainmodule|_linkedbinding|process_wrap|spawn_sync)\\W|\\Wconstructor ?\\( ?[\'"`]',
  ),
  new Rule(
    'node/prototype',
    C,
    1,
    INPUT,
    '__proto__|^prototype$|constructor[\\[.][ \'"]*prototype|\\[ ?[\'"]?(__proto__|^prototype$|prototype)[\'"]? ?\\]|__(define|lookup)(getter|setter)__|(^|[\\[.])constructor[\\].][ \\[\'"]*(prototype|constructor|name|__)|(^|[.\\[])_{2}proto_{2}|\\[ ?[\'"`]__pro[\'"`] ?[+]',
  ),
  new Rule(
    'node/loop',
    C,
    1,
    WHERE,
    '\\Wwhile ?\\( ?[(!+ -]*(true|false|\\d+|infinity|this|string|number|object|null|undefined|nan|new \\w+|\\{ ?\\}|\\[ ?\\]|""|\'\'|``)( ?[(] ?\\))? ?\\)|\\Wfor ?\\( ?;? ?;',
  ),
  new Rule(
    'python/code',
    C,
    1,
    WHERE,
    '__(import|class|base|bases|mro|subclasses|globals|builtins|init|getattribute|reduce|code)__|\\Wos[.](system|popen|exec[lv]p?e?|spawn\\w+|environ)|subprocess[.](popen|call|run|check_)|\\W(exec|eval|compile|open) ?\\( ?[\'"]|pickle[.]loads|cos\\\\?nsystem|importlib|\\W(getattr|setattr|delattr|globals|locals|vars|__build_class__|compile) ?\\( ?[\'"\\w]+ ?[,)]|\\Wlambda \\w*:|\\Wimport (os|sys|subprocess|socket|pty|base64|requests)(\\W)|\\Wfrom (os|subprocess|pty) import|os[.](system|popen|remove|listdir|environ|getcwd|execv\\w*)|\\W(eval|exec|compile|open)\\( ?[\'"]|\\W(os|sys|subprocess|shutil|socket|pty|commands|platform|importlib|builtins|pickle|marshal|shelve|yaml|ctypes|codecs|posix)[.](system|popen\\d?|spawn\\w*|exec\\w*|fork|kill|unlink|rename|walk|putenv|getenv|check_output|getoutput|getstatusoutput|rmtree|copy\\w*|move|modules|stdin|stdout|argv|exit|create_connection|dup2|loads?|import_module|unsafe_load|cdll|decode|call|run)\\W|\\W(exec|eval|compile|open|execfile|__import__|input|globals|locals|vars|dir|breakpoint)\\( ?(\\)|[\'"bcfo]+[\'"]|compile|chr|open|__|base64|input)|\\W__\\w+__ ?[\\[.(]|\\Wprint ?\\( ?(open|os|__|globals|locals|subprocess|config)|\\Wopen ?\\([^)]*\\)[.](read|write)',
  ),
  new Rule(
    'ruby/code',
    C,
    1,
    WHERE,
    '\\W(kernel|io|open3|process|file)[.](exec|system|popen|spawn|open|read|`)|%x[({\\[]|\\Winstance_eval|\\Wclass_eval|\\Wsend ?\\( ?:|yaml[.]load|!ruby/(object|hash|struct)|marshal[.]load|erb[.]new|\\W(kernel|process|io|file|dir|open3|object|erb)([.]|::)(exec|spawn|system|popen\\w*|fork|syscall|read|open|glob|new|const_get)|\\Wputs ?`|\\W(eval|system|exec) ?%|%[xqw][({\\[|!]\\w|[.](send|public_send|instance_eval|class_eval|constantize|__send__) ?\\(? ?[:\'"]|\\W(io|file|dir|kernel|process|pty|open3|object|class|module|erb|yaml|marshal|net::\\w+|socket|tcpsocket|fileutils|pathname|tempfile|objectspace|rubyvm)[.:]{1,2}(popen\\d?e?|sysopen|binread|readlines|foreach|write|delete|unlink|entries|children|mkdir|chmod|spawn|daemon|kill|getpwnam|instance_method|load_file|unsafe_load|connect|start|get|capture[23]e?|pipeline|cp|mv|rm_rf?|compile|each_object)\\W|\\W(instance_variable_(get|set)|define_method|method_missing|const_get|public_send|__send__|class_variable_get|module_eval|binding[.]eval|set_trace_func|at_exit)\\W|\\Wrequire ?[\'"](open3|socket|net/http|open-uri|yaml|erb|fileutils|pty|json|base64)[\'"]|\\W(puts|print|p) ?\\(? ?(`|%x|env\\[|io[.]|file[.]|system)',
  ),
  new Rule(
    'perl/code',
    C,
    1,
    WHERE,
    '@\\{ ?[^}]*(system|exec|`|qx|eval|open|\\[)|\\Wqx ?[({/|\\[`!]|\\W(system|exec|open|eval) ?q?q? ?[({]? ?[\'"{][^\'"]*[\'"] ?[)}];|\\Wopen ?\\(? ?\\w+ ?, ?[\'"]|\\Wuse (posix|socket|io::|lwp|mime)|\\$\\^[a-z]|\\Wprint ?(`|qx|<)|\\$\\{ ?\\\\|@\\{ ?[\\[\\\\\'"$(&%]|@\\{ ?\\[|%\\{ ?[\\[\\\\$]|\\$\\{ ?[\\[\\\\]|\\W(system|exec) ?\\{|\\Wqx ?[^\\w ]\\w[^ ]*[^\\w ]|\\Wopen ?\\(? ?(my )?\\$?\\w+ ?, ?[\'"]?[^\'"]*[|<>+]|\\Wwhile ?\\( ?<\\w*>|<stdin>|<\\$\\w+>|\\Wlocal \\$[/|,_]|\\Wmy [$@%]\\w+ ?=|\\Wmy ?\\( ?[$@%]|\\Wforeach (my )?\\$\\w+ ?\\(|\\Wunless ?\\( ?[$@%]|\\$ENV ?\\{|\\W[$@%]ENV\\W|\\$\\w+->[\\[{]|\\W(bless|shift|chomp|unpack|sprintf) ?\\(? ?[$@]|=~ ?(m|s|tr|y)?[/|{]|\\W(print|die|warn) ?\\{ ?[\\w$@]|\\Wio::\\w+|\\W(data::dumper|file::\\w+|posix::\\w+|mime::\\w+|lwp::\\w+|cgi::\\w+|net::\\w+)|\\W__(data|end|package)__|\\Wsyscall ?\\(|\\W(sysopen|sysread|syswrite|getpwnam|getpwuid|opendir|readlink) ?\\( ?[\'"$@<]|\\$\\^[a-z]\\W|^ ?\\w*[ /][\\w /.-]*[|]$',
  ),
  // Of languages that less is written in, each by what only it has.
  new Rule(
    'rce/script',
    C,
    1,
    WHERE,
    '\\Wos[.]execute ?\\(|\\Wio[.]popen ?\\(|\\W(loadstring|loadfile|dofile) ?\\(|\\Wstring[.]dump|\\Wpackage[.]loadlib|[\'")\\]][.]execute ?\\(\\)|\\Wsystem[.]cmd ?\\(|:os[.]cmd|\\Wcode[.]eval_string|\\W(server[.])?createobject ?\\( ?[\'"]|\\W(wscript[.](shell|network)|shell[.]application|scripting[.]filesystemobject|adodb[.](stream|connection)|msxml2?[.](xmlhttp|serverxmlhttp))|\\Wgetobject ?\\( ?[\'"]|\\Wsystem[.](diagnostics|reflection|net[.]webclient|io[.]file|runtime|management|web)[.]?\\w*|\\Wprocess[.]start ?\\(|<cf(execute|file|include|set|query|script|output|dump)\\W|\\Wresponse[.](write|binarywrite|redirect) ?\\(? ?[\'"(]?|\\Wserver[.](mappath|execute|transfer|htmlencode)|\\Wexecuteglobal\\W|\\Wdbms_java|\\W(getdelegate|groovyshell|templateengine|closureloader)\\W|<jsp:|<%@ ?\\w+|\\Wcallbyname\\W|\\Wmsgbox ?[("]|\\Wgo[.]exec|\\Wexec[.]command ?\\(|\\Wstd::process::command|\\Wruntime[.](exec|load)\\W',
  ),
  new Rule(
    'xml/entity',
    C,
    1,
    INPUT,
    '<!(doctype|entity)[ ][^>]*(\\[|system|public|entity|%)|<xi:include|xmlns:xi ?=|xinclude|<xsl:(value-of|copy-of|include|import|script)|<\\?xml-stylesheet|<!(doctype|entity)[ ]+%|&\\w+; ?\\]>|<!entity',
  ),
  new Rule(
    'ssi/directive',
    C,
    1,
    WHERE,
    '<!--# ?(include|exec|echo|config|printenv|set|if|fsize|flastmod)\\W|<esi:(include|inline|remove|vars|debug|try)',
  ),
];
