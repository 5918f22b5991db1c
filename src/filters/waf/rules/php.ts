import { INPUT, Rule, Severity, Target } from '../rule';
import { oneOf } from '../words';

const WHERE = INPUT | Target.Path | Target.Referer | Target.UserAgent | Target.Headers | Target.FileNames;
const C = Severity.Critical;

/** Functions whose names are no words: a ( behind them is enough. */
const FUNCTIONS = oneOf(
  'phpinfo shell_exec passthru proc_open pcntl_exec pcntl_fork create_function call_user_func call_user_func_array preg_replace preg_replace_callback preg_match file_get_contents file_put_contents fopen fread fwrite fputs fputcsv fsockopen pfsockopen readfile parse_ini_file base64_decode base64_encode gzinflate gzuncompress gzdecode gzcompress bzdecompress str_rot13 strrev str_replace unserialize serialize curl_exec curl_init move_uploaded_file array_map array_filter array_walk usort uasort uksort ini_set ini_get putenv getenv highlight_file show_source opendir readdir scandir var_dump var_export print_r debug_zval_refcount error_log register_shutdown_function register_tick_function set_error_handler strip_tags stripslashes addslashes htmlspecialchars html_entity_decode intval strval printf sprintf vprintf unpack substr substr_count str_split implode explode func_get_args get_defined_vars get_defined_functions getmyuid posix_getuid posix_getpwuid posix_kill posix_setuid php_uname phpversion sys_getloadavg mb_ereg_replace mb_send_mail assert_options filegroup fileowner fileperms fileinode is_callable is_readable is_writable touch_file tempnam tmpfile chgrp chown lchown symlink readlink disk_free_space mysql_query mysqli_query pg_query sqlite_open simplexml_load_string simplexml_load_file xml_parser_create openlog syslog escapeshellcmd escapeshellarg apache_setenv apache_child_terminate dl_open extract_vars ob_start ob_get_contents iterator_apply reflectionfunction spl_autoload_register stream_get_contents stream_context_create stream_socket_client ftp_connect ssh2_exec imap_open ldap_connect bin2hex hex2bin crc32 md5_file sha1_file hash_file json_decode convert_uuencode convert_uudecode',
);
/** What the names of functions of one library begin with. */
const FAMILIES =
  '(apache|array|ctype|curl|dba|exif|ftp|gz|iconv|imap|ldap|libxml|mb|mcrypt|mysqli?|ob|odbc|openssl|pcntl|pg|php|posix|preg|proc|readline|runkit|shm|simplexml|socket|sodium|spl|sqlite|stream|tidy|utf8|xmlrpc|zend|zip|zlib)_\\w+';
/** Between a name and its ( may stand a comment. */
const CALL = '(( ?/\\*[^*]*\\*/)* ?|(#|//)[^(]*| (#|//)[^(]*)\\(';

export const PHP: Rule[] = [
  new Rule(
    'php/code',
    C,
    1,
    WHERE,
    '<\\?(php|=|$| |xml ?:|echo |eval|system|exec)|\\[[\\\\/]?php\\]|\\{/?php\\}|\\W(system|exec|passthru|shell_exec|popen|proc_open|pcntl_exec|assert|eval|create_function|call_user_func(_array)?|preg_replace|file_(get|put)_contents|fopen|readfile|include(_once)?|require(_once)?|phpinfo|base64_decode|gzinflate|str_rot13|unserialize|curl_exec|move_uploaded_file|array_map|usort|ini_set|putenv|highlight_file|show_source|opendir|scandir|glob|var_dump|print_r|chr|die) ?\\( ?([\'"`$@\\\\]|\\)|chr|base64|\\w+\\()|<\\?[^x?>]|<script[^>]*language[^>]*php|\\Wphp:(code|include)',
  ),
  new Rule(
    'php/function',
    C,
    1,
    WHERE,
    '(^|[^\\w.])' +
      '(' +
      FUNCTIONS +
      '|' +
      FAMILIES +
      ')' +
      CALL +
      '|(^|[^\\w.])(system|exec|eval|assert|popen|chr|unlink|glob|include|require|passthru)((( ?/\\*[^*]*\\*/) ?|(#|//)[^(]*| (#|//)[^(]*)\\(|\\([\'"`$@\\w-]+[^()]*\\) ?(;|$|[.]))|^(exec|system|eval|assert|chr|popen|glob) ?\\([^()]+\\)|[\'"`](system|exec|passthru|assert|shell_exec|popen|eval) *[\'"`] ?\\)? ?\\(',
  ),
  new Rule(
    'php/function-name',
    C,
    1,
    WHERE,
    '\\W' +
      oneOf(
        'shell_exec proc_open pcntl_exec pcntl_fork pcntl_signal posix_getcwd posix_getpwuid posix_getuid posix_uname posix_kill posix_mkfifo posix_setuid base64_decode gzinflate gzuncompress gzdecode bzdecompress str_rot13 ' +
          'convert_uudecode create_function call_user_func call_user_func_array call_user_method file_get_contents file_put_contents fsockopen pfsockopen require_once include_once move_uploaded_file sys_get_temp_dir ' +
          'get_class_methods __halt_compiler apache_child_terminate apache_setenv get_defined_vars get_defined_functions reflectionfunction invokeargs wp_remote_get wp_remote_fopen escapeshellcmd highlight_file show_source php_strip_whitespace ' +
          'register_shutdown_function register_tick_function stream_socket_client stream_socket_server spl_autoload_register iterator_apply array_diff_uassoc ob_get_contents runkit_function_rename get_current_user getmyuid',
      ) +
      '(\\W)',
  ),
  new Rule(
    'php/dynamic-call',
    C,
    1,
    WHERE,
    '[@$]*\\$[a-z_]\\w*(\\[[^\\]]*\\]|\\{[^}]*\\}| ?(//|#)[^(\\[]* ?| ?/\\*[^*]*\\*/)*( ?(\\[[^\\]]*\\]|\\{[^}]*\\}))?\\(|\\$[a-z_$]\\w*( ?(\\[[^\\]]*\\]|\\{[^}]*\\}))+ ?\\(|\\$ ?\\{[@$\'"_a-z][^}]*\\}( ?(\\[[^\\]]*\\]|\\{[^}]*\\}))* ?\\(|(->|::) ?\\$\\w+ ?\\(|\\$[\\w$]*[$_0]\\w* \\(\\d|\\$\\$+\\w+\\(',
  ),
  new Rule(
    'php/string-call',
    C,
    1,
    WHERE,
    '([\'"`]|\\)) ?\\( ?[\'"][^\'"]*[\'"] ?\\) ?;|[\'"`] ?\\( ?\\w* ?\\) ?;|[\\]}] ?\\( ?[\'"\\w]*[^()]* ?\\) ?;|\\( ?(/\\*[^*]*\\*/ ?)?(system|exec|passthru|shell_exec|assert|eval|popen|phpinfo) ?\\) ?\\(|\\(string ?\\) ?[\'"{\\[]|define ?\\( ?[\'"]\\w+[\'"] ?,|[\'"] ?[.] ?[\'"]\\w+[\'"] ?\\) ?;? ?\\(|[\'"]\\w+[\'"] ?[.] ?[\'"]\\w+[\'"] ?;',
  ),
  new Rule(
    'php/variable',
    C,
    1,
    INPUT | Target.Headers,
    '\\$_(get|post|request|cookie|files|server|session|env)\\W|\\$(globals|http_(get|post|raw_post|cookie|env|server)_\\w+)|\\$\\{?[\'"]?_(get|post|request)|\\$(php_errormsg|argc|argv|_\\w+\\[)|\\W(http_raw_post_data|http_post_files|http_server_vars|http_(get|post|cookie|env|session)_vars)\\W|(^|\\W)_(get|post|request|cookie|files|server|session|env) ?\\[|\\$\\{?globals|\\W(php_sapi|php_os|php_eol|php_version|directory_separator|__file__|__dir__|__line__|__halt_compiler)\\W|\\$this->\\w',
  ),
  new Rule(
    'php/directive',
    C,
    1,
    INPUT,
    '\\W(allow_url_(fopen|include)|auto_(ap|pre)pend_file|auto_detect_line_endings|open_basedir|disable_(functions|classes)|safe_mode\\w*|suhosin[.]\\w+|display_errors|display_startup_errors|error_(log|reporting|prepend_string|append_string)|extension_dir|upload_tmp_dir|cgi[.](force_redirect|fix_pathinfo|redirect_status_env)|enable_dl|magic_quotes_\\w+|register_globals|register_argc_argv|short_open_tag|session[.](save_path|use_trans_sid|auto_start|upload_progress\\w*|serialize_handler)|sendmail_path|user_ini[.]\\w+|variables_order|zend_extension|expose_php|file_uploads|memory_limit|max_execution_time|post_max_size|upload_max_filesize|output_buffering|assert[.]\\w+|include_path|mail[.](add_x_header|log)|mbstring[.]\\w+|opcache[.]\\w+|phar[.]readonly|url_rewriter[.]tags|xdebug[.]\\w+|zlib[.]output_\\w+|arg_separator[.]\\w+|default_(mimetype|charset)|html_errors|docref_\\w+|unserialize_callback_func|highlight[.]\\w+|sql[.]safe_mode) ?=[^=]|\\W((session|mbstring|opcache|mysqlnd?|mysqli|oci8|pgsql|soap|tidy|xsl|zend|zlib|pcre|phar|intl|iconv|exif|assert|cgi|curl|odbc|openssl|pdo_\\w+|sqlite3?|suhosin|uploadprogress|url_rewriter|user_ini|xdebug|fastcgi|highlight|gd|imagick|apcu?|memcached?|igbinary|xcache|ldap|sysvshm|ibase|ingres|bcmath|browscap|mail|mcrypt|runkit|com|hidef|yaz|define_syslog)[.]\\w+|date[.](timezone|default_latitude|default_longitude|sunrise_zenith|sunset_zenith)|allow_(webdav_methods|call_time_pass_reference)|asp_tags|auto_globals_jit|doc_root|user_dir|enable_post_data_reading|exit_on_timeout|hard_timeout|ignore_(repeated_errors|repeated_source|user_abort)|implicit_flush|input_encoding|internal_encoding|output_(encoding|handler)|log_errors\\w*|max_(file_uploads|input_\\w+)|realpath_cache_\\w+|report_(memleaks|zend_debug)|request_order|serialize_precision|sendmail_from|smtp_port|sys_temp_dir|track_errors|unserialize_max_depth|xmlrpc_error\\w*|y2k_compliance|zend_\\w+|hide_\\w+) ?= ?[^= ]',
  ),
  new Rule(
    'php/object',
    C,
    1,
    INPUT | Target.Headers,
    '[oac]:\\d+:"[\\w\\\\]+":\\d+:\\{|^[oa]:\\+?\\d+:(\\{|")|phar:[^ ]|[oc]:[+]?\\d+:\\\\?"\\w|(^|[;{])[si]:\\d+[:;]("|[siabo]:)',
  ),
];
