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
    '(java[.](lang|io|net|util|nio)[.]|javax[.](script|naming|el|management)[.]|org[.](apache|springframework|codehaus|hibernate|jboss)[.]|ognl[.]|freemarker[.]template|com[.](sun|opensymphony|mchange)[.])[a-z.]+|runtime ?[.] ?getruntime|processbuilder|#(_memberaccess|context|request|parameters|application|session|cmd|rt|a)[ =.\\[(]|@[a-z.]+@[a-z]+|\\W(class|t) ?\\( ?[\'"]?java|[.]getclass ?\\(|[.]forname ?\\(|class[.](module[.])?classloader|\\.getmethods? ?\\(|^ro0ab|^aced0005|aced0005|(org[.](omg|mozilla[.]javascript|python|jruby|codehaus|w3c|xml|ietf)|sun[.](misc|reflect|net)|weblogic|groovy[.](lang|util)|bsh|clojure[.](core|lang)|scala[.](sys|tools)|java[.](awt|beans|rmi|security|sql|text|applet|math|time)|javax[.]\\w+|jdk[.](jshell|internal))[.]\\w+|^(java|javax|org[.]omg)[.]\\w+([.]\\w+)+',
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
    '\\{\\{ ?[^}]*(\\d ?\\* ?[\'"]?\\d|config|self|request|cycler|joiner|namespace|lipsum|class|mro|globals|subclasses|builtins|import|__|[.]constructor|range ?\\(|_self|app[.]|dump ?\\(|\\|)|\\{% ?(for|if|set|import|include|extends|block|macro|raw|debug|from)|<%=? ?[^%]*(\\d ?\\*|system|file|exec|`|eval|global|request|response|runtime|require|process)|#\\{ ?\\d ?\\*|\\{php\\}|\\{system ?\\(|#set ?\\(|<#assign|\\{\\{ ?[\'"\\[\\](]+[^}]*\\}\\}|\\[\\[\\$\\{|__\\$\\{|\\$\\{\\{|\\*\\{\\w|@\\(\\d+ ?[*+]|#\\{[^}]*(\\d ?[*+]|[.`(])|<#(list|if|import|include)|\\{(%-?|#) ?\\w+',
  ),
  new Rule(
    'node/code',
    C,
    1,
    WHERE,
    '\\Wrequire ?\\( ?[\'"`](child_process|fs|os|net|vm|http)|child_process|process[.](env|mainmodule|binding|exit|cwd|version|argv|kill)|(exec|spawn|fork)(file)?(sync)? ?\\( ?[\'"`]|_\\$\\$nd_func\\$\\$_|\\Wfunction ?\\( ?\\) ?\\{.*(require|process|return|settimeout)|global[.]process|import ?\\( ?[\'"`]|\\Wfunction ?\\w* ?\\([^)]*\\) ?\\{[^}]*\\} ?(\\(|$)|\\Wconstructor[.]constructor|\\W(fs|child_process)[.](read|write|exec|spawn|unlink|append)\\w*|\\W(global|globalthis|process|module)[.](process|require|constructor|mainmodule|children)|\\$\\$nd_func|=> ?\\{? ?(require|process)|\\Wsettimeout ?\\( ?[\\\'"`f(]|\\W(exec|spawn|fork|execfile|readfile|writefile)sync\\(|\\Weval\\([^)]|\\Wbuffer[.]from ?\\(|\\Wmodule[.](constructor|_load)|\\Wthis[.]constructor|\\Wrequire ?[\\[(] ?[\'"`]|import ?\\( ?[\'"`]',
  ),
  new Rule(
    'node/prototype',
    C,
    1,
    INPUT,
    '__proto__|^prototype$|constructor[\\[.][ \'"]*prototype|\\[ ?[\'"]?(__proto__|^prototype$|prototype)[\'"]? ?\\]',
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
    '__(import|class|base|bases|mro|subclasses|globals|builtins|init|getattribute|reduce|code)__|\\Wos[.](system|popen|exec[lv]p?e?|spawn\\w+|environ)|subprocess[.](popen|call|run|check_)|\\W(exec|eval|compile|open) ?\\( ?[\'"]|pickle[.]loads|cos\\\\?nsystem|importlib|\\W(getattr|setattr|delattr|globals|locals|vars|__build_class__|compile) ?\\( ?[\'"\\w]+ ?[,)]|\\Wlambda \\w*:|\\Wimport (os|sys|subprocess|socket|pty|base64|requests)(\\W)|\\Wfrom (os|subprocess|pty) import|os[.](system|popen|remove|listdir|environ|getcwd|execv\\w*)|\\W(eval|exec|compile|open)\\( ?[\'"]',
  ),
  new Rule(
    'ruby/code',
    C,
    1,
    WHERE,
    '\\W(kernel|io|open3|process|file)[.](exec|system|popen|spawn|open|read|`)|%x[({\\[]|\\Winstance_eval|\\Wclass_eval|\\Wsend ?\\( ?:|yaml[.]load|!ruby/(object|hash|struct)|marshal[.]load|erb[.]new|\\W(kernel|process|io|file|dir|open3|object|erb)([.]|::)(exec|spawn|system|popen\\w*|fork|syscall|read|open|glob|new|const_get)|\\Wputs ?`|\\W(eval|system|exec) ?%|%[xqw][({\\[|!]\\w|[.](send|public_send|instance_eval|class_eval|constantize|__send__) ?\\(? ?[:\'"]',
  ),
  new Rule(
    'perl/code',
    C,
    1,
    WHERE,
    '@\\{ ?[^}]*(system|exec|`|qx|eval|open|\\[)|\\Wqx ?[({/|\\[`!]|\\W(system|exec|open|eval) ?q?q? ?[({]? ?[\'"{][^\'"]*[\'"] ?[)}];|\\Wopen ?\\(? ?\\w+ ?, ?[\'"]|\\Wuse (posix|socket|io::|lwp|mime)|\\$\\^[a-z]|\\Wprint ?(`|qx|<)|\\$\\{ ?\\\\',
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
