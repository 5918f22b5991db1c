import { EVERYWHERE, INPUT, Rule, Severity, Target } from '../rule';
import { ANY, FOLDER, PROGRAMS, WORDS } from './programs';

const WHERE = INPUT | Target.Path | Target.Referer | Target.UserAgent | Target.Headers | Target.FileNames;
const C = Severity.Critical;

/** What ends one command, or begins a list of others, and what may stand in front of the next. */
const BEFORE =
  '(;|\\||&|\\$\\(|[<>]\\() ?([({!] ?)*((time|nice|exec|command|builtin|eval|env|then|do|else|if|while|until|watch) (-\\w+ )*|\\w+=[\\w/.]* )*' +
  FOLDER;
/** Where the first command of a value, or of a line of it, may stand. */
const LINE = '(^|\\n) ?';
const WRAPPERS =
  '((time|nice|nohup|exec|command|env|sudo|busybox|xargs|stdbuf|setsid|strace|timeout \\d+) )*';
/** What can only be arguments. */
const ARGUMENTS = ' ?(<{1,3}|>{1,2}|\\d>)|( --?[a-z][\\w-]*| [/$.~][\\w/.$*~]+| [\\w.-]*/[\\w./-]+)';
/** Behind a program with a word for a name. */
const SURE =
  '( ?[;|&`)<>}]| (-[\\w-]|[/$.~]|\\d+$|\\d+[;|&`)]|[\\w.-]*/[\\w./-]*|[\\w-]+[.](com|net|org|test|me|io|sh|php|conf|log|txt|py|pl|rb)\\W)|,/)';

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
    LINE +
      WRAPPERS +
      FOLDER +
      '(' +
      PROGRAMS +
      '(' +
      ARGUMENTS +
      '| ?[;|&]|\\{?,[^ ])|' +
      WORDS +
      ' (-[\\w-]+ )*(/(etc|proc|var|tmp|dev|usr|root|home|bin)/|[-/.~$][^ ]*[;|&] ?\\w))|^ ?(curl|wget|nslookup|ping|dig) [\\w-]+[.][\\w.-]+[/ ]?|^ ?(ansible[a-z-]*|chef-[a-z]+|cscli|visudo)( [\\w./@-]+)* ?$|(^|[;|&`\\n] ?)(/usr(/local)?)?/s?bin/[\\w.-]+( |$|[;|&<>])|^ ?((nohup|strace|setsid|stdbuf|busybox) )+[\\w./-]+( |$)',
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
      '([ <>;|&][^`]*)?`([^\\w ]|$)|\\$\\{(ifs|path|home|pwd|shell|user|hostname|env|\\w+:\\d+:\\d+)|\\$\\([^()]{2,}\\)|[<>]\\( ?[a-z/][^)]*\\)|\\{[\\w/.-]+,[-/][^}]*\\}|(^|[ =;|&])~[+-](\\W|\\d)',
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
    '/(b\\?n|bi\\?|\\?in|\\?\\?n|b\\?\\?|\\?\\?\\?|b\\[i\\]n|us\\?)/[\\w?*]{2,}|/(e\\?c|et\\?|\\?tc|e\\?\\?|\\?\\?c|e\\*|etc)/[\\w]*[?*][\\w?*]*|/etc/p[as]*[?*]+|(^|[ ;|&`=(])/[\\w?]*\\?[\\w?]*(/[\\w?*\\[\\]-]+)*/[\\w*]*\\?[\\w?*]*|/s?bin/\\w*[?*]\\w*( |$)|/\\w*\\[!?[a-z](-[a-z])?\\][a-z]+/|/(bin|etc|usr)/[\\w/]*\\[!?[a-z](-[a-z])?\\]\\w*',
  ),
  // A command in pieces: a variable that is set, and then stands where a command does; characters by their numbers.
  new Rule(
    'rce/assembled',
    C,
    1,
    INPUT | Target.Headers | Target.UserAgent | Target.Referer,
    '(^|[;&|\\n({] ?)[a-z]\\w*=[^ ;&|$]+ ?(;|&&?|\\n) ?([a-z]\\w*=[^ ;&|]* ?(;|&&?|\\n) ?)*\\$\\{?[a-z]\\w*\\}?([ ;|&]|$|\\$\\{?[a-z])|\\$[\'"](\\\\[0-7]{2,3}){2}|\\$[\'"]\\w*\\\\[0-7]{3}|\\$\\{(\\w+(:-? ?\\d[^}]*|[#%]{1,2}[^}]*[*?][^}]*|,,?|\\^{1,2}|//?[^}/]*/[^}]*)|!\\w+[*@]?|@)\\}',
  ),
  new Rule(
    'rce/sqlite-shell',
    C,
    1,
    INPUT,
    '(^|[;\\n]) ?[.](system|shell|load|import|excel|output|once|backup|clone|restore|save|open|read|archive|log) [\\w/\'"|.~-]',
  ),
  new Rule('rce/shellshock', C, 1, EVERYWHERE, '\\( ?\\) ?\\{ ?[^}]*;? ?\\} ?;'),
];
