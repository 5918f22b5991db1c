import { INPUT, Rule, Severity, Target } from '../rule';
import { oneOf } from '../words';

const WHERE = INPUT | Target.Path | Target.Referer | Target.UserAgent | Target.Headers;
const C = Severity.Critical;

/** Names in front of a ( that nobody writes but to a database. */
const CALLS =
  '(sleep|benchmark|pg_sleep|extractvalue|updatexml|load_file|group_concat|concat_ws|dbms_[a-z_]+[.][a-z_]+|utl_(http|inaddr)[.][a-z_]+|xmltype|char|unhex|randomblob|sqlite_version|version|current_user|system_user|session_user|database|ascii|substr|substring|ord|mid|elt|make_set|exp|floor|rand|count|cast|convert|hex|length)';

export const SQL: Rule[] = [
  new Rule('sql/union', C, 1, WHERE, '\\Wunion( all| distinct)?[ (]+select\\W'),
  new Rule(
    'sql/select-from',
    C,
    1,
    WHERE,
    '[\'"`);]( |\\(|;|and |or |,)*select .* from [\\w"\'`\\[]|[\'"`] ?; ?select [^ ]|^[\'"`] ?select [\\w*@(]|\\Wselect [a-z_]+\\(|[\\d\'"`)] as [\'"`]?\\w*[\'"`]? from( |$)',
  ),
  new Rule('sql/subselect', C, 1, WHERE, '\\( ?select .*(from|\\)|\\()'),
  new Rule(
    'sql/tautology',
    C,
    1,
    WHERE,
    '[\'"`)] ?(or|and|xor|\\|\\||&&|having|where) ?[\'"`(]*[\\w.]+[\'"`)]* ?((=|<|>|<=>|!=|<>|like|rlike|regexp) ?[\'"`(]*[\\w%-]|is (not )?null|in ?\\(|between [\'"\\d])',
  ),
  new Rule(
    'sql/numeric-tautology',
    C,
    1,
    WHERE,
    '[\\W](or|and|xor|\\|\\||&&) ?\\(?(not )?-?\\d+ ?(=|<|>|<=>|!=|<>|like|rlike) ?\\(?-?\\d+|\\d[\'"`)]* (or|and|xor) (not )?(true|false|null)(\\W)|^-?\\d+[)\'" ]* ?(or|and|xor|&&|\\|\\|) ?\\(*(not |!)*(exists|select|sleep|true|false|null|[\\w.]+ ?(=|<|>| like | in ?\\(| is | between | rlike | regexp ))',
  ),
  new Rule(
    'sql/quoted-tautology',
    C,
    1,
    WHERE,
    "[\\W](or|and|xor|\\|\\||&&) ?\\(?(not )?['\"`][^'\"`]*['\"`] ?(=|<|>|like|rlike|is|in) ?\\(?['\"`]|['\"`] ?(!=|<>|<=>) ?['\"`]|^['\"`]!['\"`]|'[^' ]*'?=+'|['\"`)] ?(not )?(regexp|rlike|like|sounds like) ?[('\"`]|\\) ?like ?\\(|['\"`] (regexp|rlike) |['\"`]\\)* ?(or|and|xor|\\|\\||&&) ?\\(*(not |!|~|-)*(exists|select|true|false|null|\\d+ ?($|[-+*/%|&^])|\\w+\\()|'\\)* ?\\|\\| ?['(]|['\"`][)]* ?(or|and|xor|\\|\\||&&) ?[(]*-?[\\d.]+[)]* ?($|;|#|--|/\\*|=|<|>)|['\"`] ?(=|<=>|<>|!=|\\|\\||&&|\\^|%|\\+) ?[(@]?(select |(version|user|database|sleep|ascii|char|hex|concat)\\(|@@)|['\"`][)]* ?(limit|offset|procedure|group by|order by|having|union|intersect|except|minus) ?(all |select|\\(|@|distinct )|['\"`][)]* (limit|offset) \\d|^['\"`]?[)]* ?(or|and|xor|\\|\\||&&) ?[('\"`!~-]*\\d+['\"`)]* ?(=|<|>|$|--|#|like)",
  ),
  new Rule(
    'sql/quote-comment',
    C,
    1,
    WHERE,
    "['\"`]\\)*;?(--( |\\+|-|$|\\w+ ?$)|#$|/\\*)|['\"`]\\)* ?;? ?(--[ +]?-? ?$|--\\+|#$|/\\*)|\\d ?;? ?(--( |-)?$|--\\+)|['\"`]\\)* ?; ?--|' ?; ?$",
  ),
  new Rule(
    'sql/stacked',
    C,
    1,
    WHERE,
    '; ?(drop|alter|create|truncate) (table|database|schema|user|view|index|procedure|function)\\W|; ?(insert into|delete from|update \\w+ set|exec(ute)? |declare @|shutdown\\W|waitfor |grant [\\w, ]+ (on|to) )|; ?(truncate|replace) ?(into \\w|\\[|\\w+ ?\\()|^ ?(drop|truncate) (table|database|schema|view|index|procedure|function|trigger)( if exists)? [\'"`\\[\\w.]+ ?(;|$|--|cascade)|(^|[^\\w ]) ?create (or replace )?(temporary )?(table|function|procedure|trigger|view|user|database) [^ ]+ ?(\\(|as |on |returns|identified|begin)|(^|[^\\w ]) ?alter (table|user|database|login) [^ ]+ (add|drop|change|modify|rename|alter|with|character|convert|set) |\\Wdeclare @\\w|\\Wexec(ute)? ?\\(?(master[.]|sp_|xp_|immediate )|[\'"`/;)]create table \\w|[\'"`\\d)] ?; ?(select|insert|update|drop|alter|create|truncate|exec|execute|declare|waitfor|shutdown|backup|restore|grant|revoke|attach|pragma|vacuum|handler|prepare|analyze) [\\w@(\'"`*]|\\Wgoto \\w+ ?(;|:|--)|\\Walter .*character set|\\Wcharacter set (latin|utf8|gbk|big5|sjis|ascii|binary)|\\Wcreate (function|procedure|aggregate function) \\w+ ?(\\(|returns)|\\W(returns|return) (string|integer|real|decimal) soname|\\Wsoname [\'"]|\\Wset (@\\w+ ?=|(global|session) \\w+ ?=|names [\'"`]|password ?=)|\\Wopen_?query ?\\(|\\Wexecute as (login|user)|\\Wraiserror ?\\(|\\Wdbcc \\w+|\\Wdeclare \\w+ (int|varchar|cursor|table)\\W|\\Wfetch (next|first) from|\\Winto @|\\Wexec @|\\Wsp_(help\\w*|who2?|configure|adduser|addlogin|oamethod|makewebtask|execute\\w*|msforeachtable|prepare\\w*)\\W|\\Wxp_\\w+',
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
    'information_schema|\\W(sysobjects|syscolumns|msysaces|sqlite_(master|schema)|pg_(catalog|shadow|user)|all_tab_columns|user_tables|mysql[.]user)\\W|\\Wmaster[.][.]|\\W(sys[.](tables|columns|objects|databases|user\\$|dba_users)|mysql[.](db|proc|func|innodb_\\w+)|msys\\w+|pg_(class|tables|attribute|database|roles|stat_activity|sleep)|all_(tables|users)|dba_(users|tables)|db_name|schema_name|performance_schema|tempdb[.]|msdb[.])\\W|^(tempdb|msdb|schema_name|db_name)$',
  ),
  new Rule(
    'sql/error-based',
    C,
    1,
    WHERE,
    '\\W(extractvalue|updatexml|exp|gtid_subset|polygon|geometrycollection|multipoint) ?\\( ?(\\d|~|concat|select|\\()|xp_(cmdshell|dirtree|regread|fileexist)|\\Wutl_(http|inaddr|file)[.]|sp_(executesql|oacreate|password)|\\Wmatch ?\\([^)]*\\) ?against ?\\(|\\Wmerge into .* using |\\Wprocedure analyse',
  ),
  new Rule(
    'sql/file',
    C,
    1,
    WHERE,
    '\\Winto (out|dump)file ?[\'"(]|\\Wload_file ?\\(|load data (local )?infile|\\Wlo_(import|export|get|put|create|unlink|from_bytea)\\(|\\Wcopy [\\w"]+ (from|to) (program )?\'|pg_read_(binary_)?file\\(|\\Wopenrowset ?\\(|\\Wopendatasource ?\\(',
  ),
  new Rule(
    'sql/order-by-probe',
    C,
    1,
    WHERE,
    '[\'")] ?(order|group) by \\d+|having \\d+ ?= ?\\d+|procedure analyse ?\\(|\\Whaving (count|sum|max|min|avg|not|exists)? ?\\(?[^ ]* ?[<>=]|^-?\\d+[\'")]* (order|group) by \\d',
  ),
  new Rule(
    'sql/cast',
    C,
    1,
    WHERE,
    '[\\w)\'"]::(int|integer|bigint|text|varchar|json|jsonb|bytea|numeric|regclass|double precision|boolean|money|xml)\\W|\\Wdiv ?\\( ?-?[\\d.]+ ?, ?-?[\\d.]+ ?\\)|\\d[.]e[.(]',
  ),
  new Rule(
    'sql/environment',
    C,
    1,
    WHERE,
    '\\W(database|db_name|schema_name|current_user|current_database|system_user|session_user|user|version|sqlite_version|last_insert_id|connection_id|row_count|found_rows)\\( ?(\\)|$)|@@(version|hostname|datadir|basedir|global|session|servername|spid|identity|max_connections|secure_file_priv|language)',
  ),
  new Rule(
    'sql/statement',
    C,
    1,
    WHERE,
    '^[ (;]*(select (\\*|distinct |top \\d|all |count ?\\(|[\\w.`]+ ?,|[\'"]|\\d).* from [\\w.`"\\[]|insert into [\\w.`"\\[\\]]+ ?(\\(|values|select)|delete from [\\w.`"\\[\\]]+ ?(where|;|--|$)|update [\\w.`"\\[\\]]+ set [\\w.`"\\[\\]]+ ?=|truncate table |exec(ute)? (xp|sp)_)',
  ),
  new Rule(
    'sql/function',
    C,
    1,
    WHERE,
    '(^|[^\\w.])' +
      oneOf(
        'aes_decrypt aes_encrypt ascii_str asciistr benchmark bit_and bit_count bit_length bit_or bit_xor char_length character_length charindex chr_from coercibility concat_ws connection_id convert_tz ' +
          'curdate curtime current_date current_time date_add date_format date_sub datediff datename datepart dayname dayofmonth dayofweek dayofyear des_decrypt des_encrypt elt extractvalue export_set find_in_set ' +
          'found_rows from_base64 from_days from_unixtime get_format get_lock group_concat gtid_subset gtid_subtract ifnull inet6_aton inet6_ntoa inet_aton inet_ntoa is_free_lock is_used_lock is_srvrolemember is_member ' +
          'isnull iif json_array json_arrayagg json_contains json_depth json_each json_extract json_group_array json_keys json_length json_object json_objectagg json_search json_set json_type json_unquote json_valid json_value jsonb_build_object jsonb_extract_path ' +
          'last_insert_id lcase load_extension load_file make_set makedate master_pos_wait name_const nullif nvl nvl2 octet_length old_password openquery openrowset opendatasource ora_hash period_add period_diff ' +
          'pg_client_encoding pg_ls_dir pg_read_file pg_sleep pg_user pg_stat_file quote_ident quote_literal randomblob rawtohex regexp_instr regexp_like regexp_replace regexp_substr release_lock row_count row_to_json sec_to_time ' +
          'session_user sha2 soundex sqlite_compileoption_get sqlite_source_id sqlite_version st_astext st_latfromgeohash st_pointfromgeohash str_to_date strcmp string_agg substring_index subtime sys_context sys_eval sys_exec sysdate system_user ' +
          'time_to_sec timestampadd timestampdiff to_base64 to_char to_clob to_days to_nchar to_timestamp to_number ucase uncompress uncompressed_length unhex unix_timestamp updatexml utc_date utc_time utc_timestamp uuid_short ' +
          'varchar weekofyear weight_string xmlagg xmlelement xmltype xmlforest xmlquery yearweek zeroblob lo_import listagg dbms_random utl_raw fn_virtualfilestats fn_trace_gettable database_to_xml query_to_xml table_to_xml current_setting set_config',
      ) +
      ' ?\\(',
  ),
  new Rule(
    'sql/json',
    C,
    1,
    WHERE,
    '[\'"}\\])]::?jsonb?|[\'"] ?(@>|<@|#>>?|->>) ?[\'"{$]|\\?[|&] ?array ?\\[',
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
    '\\W(and|or|select|,|\\() ?\\(?(if|iif|decode|ascii|ord|substr|substring|mid|length) ?\\(+.*(=|<|>| like |,)|(^|[(,]|select|and|or) ?\\(?case when .* then |\\Wif ?\\( ?[\'"\\d][^)]*[=<>]',
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
    Target.ArgNames | Target.Args | Target.Body | Target.Cookies,
    '\\[\\$[a-z]+\\]|^\\$(ne|gt|gte|lt|lte|nin|regex|where|nor|expr|function|accumulator|in|or|and|not|exists|eq|mod|all|size|elemmatch|text|jsonschema|options|lookup|set|unset|inc|push|pull)$|[{,\\[] ?[\'"]?\\$(ne|eq|gt|gte|lt|lte|in|nin|regex|where|or|and|nor|not|exists|expr|mod|all|size|elemmatch|text|type|function)[\'"]? ?:',
  ),
  new Rule(
    'nosql/javascript',
    C,
    1,
    INPUT,
    '(\\|\\||&&|;|[\'"]) ?(this[.]\\w+ ?(==|!=|[.]match)|return (true|this)|db[.]\\w+[.](find|insert|drop|remove)|while ?\\((true|1)\\)|sleep ?\\(\\d)|(\\|\\||&&|;|[\'"]) ?(this[.]\\w+ ?(===?|!==?|[.]match|[.]length|<|>)|return ?\\(?(true|1|this|!)|var \\w+ ?=|function ?\\(|db[.]\\w+|emit ?\\(|tojson\\w* ?\\()|\\Wdb[.](getcollection|\\w+[.](find|insert|update|drop|remove|aggregate|mapreduce))|\\Wnew (date|objectid)\\(\\) ?[-;]|mapreduce|\\$where',
  ),
  new Rule(
    'ldap/filter',
    C,
    1,
    INPUT,
    '[*)\\w] ?\\)? ?\\( ?[|&!]? ?\\(? ?(uid|cn|sn|mail|objectclass|userpassword|samaccountname|ou|dc|\\w+) ?[~<>]?= ?[^)]*\\*|\\) ?[&|!]? ?\\( ?[a-z][\\w-]* ?[~<>:]{0,2}=[^=]|\\) ?[&|!]? ?\\( ?[|&!]',
  ),
];
