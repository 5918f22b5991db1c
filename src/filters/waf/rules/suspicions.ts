import { INPUT, Rule, Severity, Target } from '../rule';
import { oneOf } from '../words';
import { ANY, FOLDER } from './programs';

const WHERE = INPUT | Target.Path | Target.Referer | Target.UserAgent | Target.Headers;
const C = Severity.Critical;

/** Of the second level: what attacks have in common with what people write now and then. */
export const SUSPICIONS: Rule[] = [
  // A program behind a separator without a space, or at the beginning with whatever follows it.
  new Rule(
    'rce/any-command',
    C,
    2,
    WHERE | Target.FileNames,
    '([^ ](;|\\|\\|?|&&?)' +
      FOLDER +
      '|(^|[=;|&] ?)\\$\\{?\\w+\\}? |^ ?((time|nice|env|exec|command|sudo|doas|watch|xargs) )+(-\\w+ )*)' +
      ANY +
      '( |$|[;|&<>)}`])',
    true,
  ),
  new Rule(
    'rce/command-name',
    C,
    2,
    INPUT | Target.Headers | Target.UserAgent,
    '^ ?' +
      FOLDER +
      oneOf(
        'whoami uname ifconfig ipconfig netstat printenv lsof nslookup curl wget chmod chown chgrp rmdir mkdir mkfifo mktemp killall pkill useradd userdel usermod groupadd crontab nohup setsid visudo traceroute systeminfo tasklist ' +
          'taskkill lsblk lscpu lsmod gcc pip3 pipx flock strace ltrace ' +
          'cpulimit egrep fgrep zgrep awk gawk nawk sed xxd hexdump nc ncat netcat socat telnet rsync scp sftp tftp dpkg rpm yum pacman systemctl journalctl getent setfacl getfacl iptables tcpdump nmap shutdown printf xargs mv cp rm ls pwd',
      ) +
      '( ?[;|&<>]| [\\w]*[-/.~$@:\'"*=+]|$)|^ ?(\\w+=)?(ansible[a-z-]*|chef(-[a-z]+)?|cscli|visudo)( [\\w-]|$)|^ ?(rc|cat|less|head|tail|find|env|perf|chef|id|ps|tar|zip|dd|top|at|ex|vi|ed|echo|export|kill|sort|date|diff|tee|host|ping|dig|cd) ([\\w./*~-]*[./~*][\\w./*~-]*|-{1,2}\\w[\\w-]*|[\\w-]+=)',
    true,
  ),
  // What a shell replaces: variables in a row or within words, special parameters, characters for files, earlier commands.
  new Rule(
    'rce/expansion',
    C,
    2,
    WHERE,
    '\\w\\$[@*!?$_#-]\\w|\\$[@*!?#-]($|[ ;|&/])|\\$\\w+\\$\\w+|\\$[a-z]\\w* \\$[a-z]\\w*|\\w\\$\\w+/|\\w\\$\\w+[+]|[;|&`] ?\\$\\{?[a-z_]|/[\\w*?-]*[*?][\\w*?-]*/[\\w*?-]*[*?a-z]|[;|&]/?[\\w/]+[*?]|/\\w*\\[[^\\]/]+\\]\\w*|(^|[;|&] ?)!(!|-?\\d+|\\?\\w+\\??|#|\\$)($|[ :;|&])|^\\^\\w+\\^\\w*|\\{\\w+(,[\\w/.-]*)+\\}|\\w<<<\\w|<<< ?[\'"$]|\\$\\(|\\$\\{[a-z_]\\w*[^\\w}]|\\w=[^ ;&]*(;|&&) ?\\w+=[^ ;&]*(;|&&)|\\\\\\w\\\\\\w\\\\\\w|[a-z][\'"]{2}[a-z]',
  ),
  // Words of mail servers at the beginning of a line.
  new Rule(
    'mail/command',
    C,
    2,
    INPUT,
    '\\n ?((\\w{1,6} )?(quit|noop|rset|data|stat|capa|starttls|logout|capability|close|expunge|check|stls|last|idle)|(help|list|retr|dele|uidl|top|vrfy|expn|turn|etrn|user|pass|apop|auth|xclient|burl|bdat|size|send|saml|soml)( [\\w@.=+/-]+){1,3}|[a-z]*\\d+ (login|authenticate|append|select|examine|create|delete|rename|subscribe|unsubscribe|list|lsub|status|fetch|store|copy|move|uid|search|sort|thread|getquota|setacl|namespace|enable|id)( [^\\n]*)?) ?(\\n|$)',
  ),
  new Rule(
    'ssrf/address',
    C,
    2,
    INPUT | Target.Path,
    '(^|\\W)[a-z][a-z\\d+.-]*:/{1,3}([^/@ ]*@)?(\\d{1,3}([.]\\d{1,3}){3}(\\W)|\\[[\\da-f:.]+\\]|0x[\\da-f]|[\\w.-]*:\\d+@)|://[^/ ]*[^\\w/.:@%\\[\\] -][^/ ]*@|^//[\\w.-]+[.][a-z]+(/|$)',
  ),
  // The address of another server; counts where that is not the one of the request. See `inspector.ts`.
  new Rule(
    'rfi/elsewhere',
    C,
    2,
    Target.Args | Target.Cookies | Target.Path,
    '(^|/)(https?|ftps?|file)://?[\\w\\[]',
  ),
  new Rule(
    'node/word',
    C,
    2,
    WHERE,
    '\\Wobject[.](prototype|setprototypeof|defineproperty|defineproperties|getprototypeof|getownpropertydescriptor|assign|create|constructor)\\W|[.]prototype\\W|(constructor|prototype)[.\\[(]|[.\\[](constructor|prototype)(\\W)|\\Wrequire ?\\(|\\Wprocess[.\\[][a-z]|\\Wmodule[.]exports|\\W__(dirname|filename)\\W|\\Wglobalthis\\W|\\Wnew promise|\\W(http|https|net|tls|dns|fs|os|vm|path|util)[.]\\w+ ?\\(|\\W(exec|spawn|fork|eval|settimeout|setinterval) ?\\(|[\'"`] ?[+] ?[\'"`]|\\Wasync function|=> ?\\{|\\Wawait \\w+ ?\\(|\\\\u00[0-7]|\\Wfunction( \\w+)?\\(',
  ),
  new Rule(
    'perl/word',
    C,
    2,
    INPUT | Target.Path | Target.Headers,
    '@\\{|%\\{ ?[\\\\$]|\\$\\w+->|\\W(system|exec|qx|eval|sprintf|unpack|unlink|glob|kill|fork) ?([\'"]|q?q?[({/|])|\\Wopen ?\\(|=~|\\W\\w+::\\w+|\\Wmy [$@%(]|[|]$|^ ?[|]',
  ),
  new Rule(
    'template/any',
    C,
    2,
    WHERE,
    '\\{\\{[^}]*[^\\w .}]|\\{%|<%|\\$\\{[^}]*[^\\w}]|#\\{|\\[\\[|\\{[$#@]\\w|@\\(',
  ),
  new Rule(
    'php/any-function',
    C,
    2,
    WHERE,
    '(^|\\W)([a-z]+\\d*_\\w+ ?|' +
      oneOf(
        'abs acos array asin atan basename bcadd ceil chdir checkdate chmod chop chr chroot closedir compact constant copy copyright count crypt current date decbin dechex defined define delete die dir dirname each echo empty end ' +
          'ereg eval exec exit exp explode extract feof fgets file filesize filetype floor flush fopen fputs fread fsockopen ftell ftok ftruncate fwrite getcwd getdate getenv gethostbyaddr gethostbyname getmxrr getopt gettype glob gmdate header ' +
          'hexdec highlight_string iconv idate implode intdiv is_a isset join key ksort lchown levenshtein link list localtime log ltrim mail max mb_substr md5 metaphone min mkdir mktime natsort next nl2br opendir ord pack parse passthru ' +
          'pathinfo pi popen pos pow prev printf quotemeta rand range readdir rename reset rewind rmdir round rtrim shuffle sin sizeof sleep sort soundex sprintf sqrt srand stat strcmp stripos stristr strlen strpos strrpos strstr strtok strtolower ' +
          'strtotime strtoupper strtr substr symlink system tan tempnam time touch trim ucfirst ucwords umask uniqid unlink unpack unserialize unset usleep var_dump vsprintf wordwrap',
      ) +
      ')(\\s?/\\*[^*]*\\*/ ?)*\\(|(^|\\W)\\w+/\\*|\\([\\w.]+(\\(\\w+\\)[.\\w]*)+\\) ?\\(|\\$[a-z_]\\w* ?[.=]',
  ),
  new Rule(
    'sql/any-function',
    C,
    2,
    INPUT | Target.Path,
    '(^|\\W)' +
      oneOf(
        'abs acos adddate addtime ascii asin atan avg bin cast ceil ceiling char chr coalesce collation compress concat conv convert cos cot count crc32 database date day decode default degrees encode encrypt exp field floor format ' +
          'format_bytes greatest group hex hour if in insert instr interval last least left length ln load locate log lower lpad ltrim max md5 mid min minute mod month now oct ord password pi position pow power print quarter quote radians rand ' +
          'repeat replace reverse right round rpad rtrim schema second sha sha1 sign sin sleep space sqrt std stddev subdate substr substring sum tan time timestamp total trim truncate unicode upper user uuid values variance version week weekday year ' +
          'array likely unlikely glob json typeof changes nchar len isnumeric iif choose try_cast try_convert patindex stuff string_split',
      ) +
      "[\\\\.=?/&|\\])!'$]{0,2}\\(",
  ),
  // Beginnings of statements, and clauses without their statement.
  new Rule(
    'sql/word-pair',
    C,
    2,
    INPUT | Target.Path,
    '^(group|order) by$|(^|\\W)(select (\\*|\\(|case|distinct|top |\\w+ where|\\w+,|0x)|select[.(]|from [\\w`"\\[.\\]]+ ?(where|limit|group by|order by|union|join)|insert into |delete from |update \\w+ set |drop (table|database|view|user)|create (table|database|user|view|function|trigger) [^ ]+ ?(\\(|as)|alter (table|user|database)|exec(ute)? ?\\(|execute immediate|union (all )?(select|values|distinct)|(except|intersect) (select|values|all)|having \\w* ?[=<>(]|procedure analyse|declare @|waitfor delay|then \\d+ else|when \\d+ then|case when|if exists|like [\'"%]|not (like|in|null|similar|between)|is (not )?null|limit \\d+ ?(,|offset)|into (outfile|dumpfile)|nvarchar|varchar\\d?|utl_(http|file|inaddr)|openrowset|opendatasource|xp_\\w+|sp_\\w+|dbms_\\w+|pg_\\w+|sysobjects|information_schema|autonomous_transaction|bulk insert|natural join|cross join|inner join|left join|merge into|returning \\w|analyze|pragma \\w)(\\W|$)|\\Was\\W+from(\\W|$)|; ?(select|insert|update|delete|drop|alter|union|print)\\W|\\W(print|print @@)\'|\\W0x[\\da-f]{4,}|\\\\0x[\\da-f]+|\\d like \\d|(^|[\\w\'")])<=>|(^|[=,(])-?\\d+[=<>]{1,2}-?\\d|\\d[=<>]\\d|\\w ?(not )?(glob|regexp|rlike|sounds like|similar to|ilike|match|collate|div|mod|xor)[ (]',
  ),
  // What stands behind a quotation mark and is no prose.
  new Rule(
    'sql/behind-quote',
    C,
    2,
    INPUT,
    '[\'"`] ?(or|and|xor|not|like|rlike|glob|between|union|having|limit|alter|div|mod|collate|values|select|insert|update|delete|drop|exec|procedure)($|[=<>~(@#;/\\\\&|^%*+){\\[]| ?\\w*[=<>~(]| \\w+ ?($|[=<>~(]| (is|not|in|like|glob|similar|between) ))|[\'"`] ?[)*+<>=|&^~!%-]+ ?([\'"`\\d(@$]|\\w+ ?[=<>(])|[\'"`][, \\\\]*[\'"`]?[\\[ ]*\\d+[^\\w.%\'" ]*\\w*$|[\'"`];[^ ]|[\'"`](#|--|/\\*|\\|\\|)|[\'"`] [\'"`] ?\\d|\\\\[\'"`]|([\'`][^\\w ,:"]{1,6}){4}|[\'"`][>/\\\\]|\\w[\'"`](or|and|xor|union|like|in)[\'"`( ?]',
  ),
  new Rule(
    'xss/suspicion',
    C,
    2,
    WHERE,
    '</?' +
      oneOf(
        'a abbr address article aside b bdi bdo big blink blockquote br canvas center cite code col data dd del dfn dir div dl dt em fieldset figure font footer h1 h2 h3 h4 h5 h6 head header hr i ins kbd label legend li main map mark menu meter nav nobr noscript ol optgroup ' +
          'option output p param picture plaintext pre progress q rp rt ruby s samp search section select slot small span strike strong sub summary sup table tbody td template tfoot th thead time title tr track tt u ul var wbr xmp',
      ) +
      '[ />#=:]|-->|<!|\\W(src|href|style|on[a-z]+|srcdoc|action|data|xmlns|formaction|background|poster) ?=|\\W(alert|confirm|prompt|eval|settimeout|setinterval|atob|btoa|fetch|print) ?[(`]|\\W(document|window|location|self|top|parent)([.][a-z]|\\[)|[\'"][ /]+\\w+ ?=|[\'"`] +(in|instanceof|of) *\\w+[.\\[(]\\w|javascript:[^ ]',
  ),
  new Rule(
    'java/word',
    C,
    2,
    WHERE,
    '\\W(java|javax|jakarta|sun|com[.]sun)[.]\\w|(^|\\W)(processbuilder|classloader|getclass|forname|newinstance|getmethod|getruntime|deserializ\\w*|objectinput\\w*|objectoutput\\w*|xmldecoder|getproperty|setproperty|bsh|ognl|jndi)(\\W)|(runtime|process|invoke|serializ\\w*)[.(]\\w|[.](runtime|process|invoke|serializ\\w*)(\\W)|@[a-z]+([.][a-z]+)+@|rmi://',
  ),
  // Of what runs commands and loads classes in base64, at any place in it.
  new Rule(
    'rce/encoded',
    C,
    2,
    INPUT | Target.Headers,
    oneOf(
      'amf2ys5syw5nl phdmeubgfuzy qyxzhlmxhbmcu z2v0unvudgltz dldfj1bnrpbw nzxrsdw50aw1l uhjvy2vzc0j1awxkzx byb2nlc3ncdwlszgvy qcm9jzxnzqnvpbgrlc y2hpbgrfchjvy2vzc noawxkx3byb2nlc3 jaglszf9wcm9jzxnz l2jpbi9iyxno 9iaw4vymfza vymlul2jhc2 l2v0yy9wyxnzd2 9ldgmvcgfzc3dk vzxrjl3bhc3n3z am5katpszgfw puzgk6bgrhc qbmrpomxkyx am5katpybw puzgk6cm1p qbmrponjta sw52b2tlclryyw5zzm9ybwvy ludm9rzxjucmfuc2zvcm1lc jbnzva2vyvhjhbnnmb3jtzx q2xhc3nmb2fkzx nsyxnztg9hzgvy dbgfzc0xvywrlc ' +
        'l2jpbi9za 9iaw4vc2 vymlul3no c3lzdgvtk n5c3rlbs zexn0zw0o phnjcmlwd xzy3jpch 8c2nyaxb0 cnvudgltz j1bnrpbw ydw50aw1l unvudgltz sdw50aw1l chjvy2vzc byb2nlc3 wcm9jzxnz uhjvy2vzc qcm9jzxnz amf2yxgu amf2ys51dgls phdmeudxrpb qyxzhlnv0aw amf2ys5pb phdmeuaw qyxzhlmlv cmvhze9iamvjd jlywrpymply3 yzwfkt2jqzwn0 zm9ytmftz zvck5hbw mb3joyw1l z2v0q2xhc3 dldensyxnz nzxrdbgfzc aw52b2tl c2vyawfsaxpl nlcmlhbgl6z zzxjpywxpem u2vyawfsax nlcmlhbgl6 tzxjpywxpe cg93zxjzagvsb bvd2vyc2hlbg wb3dlcnnozwxs d2hvyw1p aw1wb3j0ig9z ltcg9ydcbvc pbxbvcnqgb3 dw5pb24gc2vszwn0 vuaw9uihnlbgvjd 1bmlvbibzzwxly3',
    ),
  ),
  // Comparisons of Django, which reach through relations.
  new Rule(
    'python/lookup',
    C,
    2,
    Target.ArgNames,
    '\\w__\\w*(i?(startswith|endswith|contains|exact|regex)|has_keys?|has_any_keys|isnull|in|range|gte?|lte?)$',
  ),
  new Rule('protocol/method-override', C, 2, Target.ArgNames, '^_method$'),
];
