import { INPUT, Rule, Severity, Target } from '../rule';

const WHERE = INPUT | Target.Path | Target.Referer | Target.UserAgent | Target.Headers;
const C = Severity.Critical;

/** Names in front of a ( that nobody writes but to a database. */
const CALLS =
  '(sleep|benchmark|pg_sleep|extractvalue|updatexml|load_file|group_concat|concat_ws|dbms_[a-z_]+[.][a-z_]+|utl_(http|inaddr)[.][a-z_]+|xmltype|char|unhex|randomblob|sqlite_version|version|current_user|system_user|session_user|database|ascii|substr|substring|ord|mid|elt|make_set|exp|floor|rand|count|cast|convert|hex|length)';

export const SQL: Rule[] = [
  new Rule('sql/union', C, 1, WHERE, '\\Wunion( all| distinct)?[ (]+select\\W'),
  new Rule('sql/select-from', C, 1, WHERE, '[\'"`);]( |\\(|;|and |or |,)*select .* from [\\w"\'`\\[]'),
  new Rule('sql/subselect', C, 1, WHERE, '\\( ?select .*(from|\\)|\\()'),
  new Rule(
    'sql/tautology',
    C,
    1,
    WHERE,
    '[\'"`)] ?(or|and|xor|\\|\\||&&|having|where) ?[\'"`(]*[\\w.]+[\'"`)]* ?(=|<|>|<=>|!=|<>|like|rlike|regexp|is|in|between) ?[\'"`(]*[\\w%-]',
  ),
  new Rule(
    'sql/numeric-tautology',
    C,
    1,
    WHERE,
    '[\\W](or|and|xor|\\|\\||&&) ?\\(?(not )?-?\\d+ ?(=|<|>|<=>|!=|<>|like|rlike) ?\\(?-?\\d+',
  ),
  new Rule(
    'sql/quoted-tautology',
    C,
    1,
    WHERE,
    '[\\W](or|and|xor|\\|\\||&&) ?\\(?(not )?[\'"`][^\'"`]*[\'"`] ?(=|<|>|like|rlike|is|in) ?\\(?[\'"`]',
  ),
  new Rule(
    'sql/quote-comment',
    C,
    1,
    WHERE,
    '[\'"`]\\)* ?;? ?(--( |\\+|-|$)|#$|/\\*)|\\d ?;? ?(--( |-)?$|--\\+)',
  ),
  new Rule(
    'sql/stacked',
    C,
    1,
    WHERE,
    '; ?(drop|alter|create|truncate) (table|database|schema|user|view|index|procedure|function)\\W|; ?(insert into|delete from|update \\w+ set|exec(ute)? |declare @|shutdown\\W|waitfor |grant [\\w, ]+ (on|to) )',
  ),
  new Rule(
    'sql/delay',
    C,
    1,
    WHERE,
    'waitfor delay [\'"]|\\Wpg_sleep ?\\(|\\Wsleep ?\\( ?\\d|\\Wbenchmark ?\\( ?\\d+ ?,|dbms_(pipe|lock)[.]|randomblob ?\\( ?\\d{6}',
  ),
  new Rule(
    'sql/schema',
    C,
    1,
    WHERE,
    'information_schema|\\W(sysobjects|syscolumns|msysaces|sqlite_(master|schema)|pg_(catalog|shadow|user)|all_tab_columns|user_tables|mysql[.]user)\\W|\\Wmaster[.][.]',
  ),
  new Rule(
    'sql/error-based',
    C,
    1,
    WHERE,
    '\\W(extractvalue|updatexml|exp|gtid_subset|polygon|geometrycollection|multipoint) ?\\( ?(\\d|~|concat|select|\\()|xp_(cmdshell|dirtree|regread|fileexist)|\\Wutl_(http|inaddr|file)[.]|sp_(executesql|oacreate|password)',
  ),
  new Rule(
    'sql/file',
    C,
    1,
    WHERE,
    '\\Winto (out|dump)file ?[\'"(]|\\Wload_file ?\\(|load data (local )?infile',
  ),
  new Rule(
    'sql/order-by-probe',
    C,
    1,
    WHERE,
    '[\'")] ?(order|group) by \\d+|having \\d+ ?= ?\\d+|procedure analyse ?\\(',
  ),
  new Rule(
    'sql/quoted-function',
    C,
    1,
    WHERE,
    '[\'"`)] ?(or|and|\\|\\||&&|,|\\+|;|=|in|\\*|/|-) ?\\(?(select )?' + CALLS + ' ?\\(',
  ),
  new Rule(
    'sql/conditional',
    C,
    1,
    WHERE,
    '\\W(and|or|select|,|\\() ?\\(?(if|iif|case when|decode|ascii|ord|substr|substring|mid|length)[ (]+.*(=|<|>| like | then )',
  ),
  new Rule('sql/mysql-comment', C, 1, WHERE, '/\\*!\\d{0,6}[a-z ]'),
  new Rule('sql/hex-or-char', Severity.Error, 2, INPUT, '\\W(0x[0-9a-f]{8,}|char ?\\( ?\\d+ ?(,|\\)))'),
  new Rule(
    'sql/keyword-pair',
    Severity.Error,
    2,
    INPUT,
    '\\W(select .* from|insert into \\w+|delete from \\w+|update \\w+ set|drop (table|database)|union select|order by \\d)\\W',
  ),
  new Rule(
    'sql/quote-then-operator',
    Severity.Warning,
    2,
    INPUT,
    '[\'"`] ?(or|and|xor|not|like|between|union|having|order|group|limit|;|--|\\|\\||&&)[ (\'"`$]',
  ),
  new Rule(
    'nosql/operator',
    C,
    1,
    Target.ArgNames | Target.Args | Target.Body,
    '\\[\\$(ne|eq|gt|gte|lt|lte|in|nin|not|regex|exists|where|or|and|nor|type|mod|all|size|elemmatch)\\]|^\\$(ne|gt|gte|lt|lte|nin|regex|where|nor|expr|function|accumulator)$|[{,] ?[\'"]?\\$(ne|eq|gt|gte|lt|lte|in|nin|regex|where|or|and|nor|exists|expr)[\'"]? ?:',
  ),
  new Rule(
    'nosql/javascript',
    C,
    1,
    INPUT,
    '(\\|\\||&&|;|[\'"]) ?(this[.]\\w+ ?(==|!=|[.]match)|return (true|this)|db[.]\\w+[.](find|insert|drop|remove)|while ?\\((true|1)\\)|sleep ?\\(\\d)',
  ),
  new Rule(
    'ldap/filter',
    C,
    1,
    INPUT,
    '[*)\\w] ?\\)? ?\\( ?[|&!]? ?\\(? ?(uid|cn|sn|mail|objectclass|userpassword|samaccountname|ou|dc|\\w+) ?[~<>]?= ?[^)]*\\*|\\)\\( ?[|&] ?\\(?',
  ),
];
