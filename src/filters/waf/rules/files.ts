import { EVERYWHERE, INPUT, Rule, Severity, Target } from '../rule';

const WHERE = INPUT | Target.Path | Target.Referer | Target.FileNames | Target.Headers;
const C = Severity.Critical;

/** Paths out of where they should stay, and files that are nobody's business. */
export const FILES: Rule[] = [
  new Rule(
    'lfi/traversal',
    C,
    1,
    WHERE,
    '(^|[\\\\/:=,;"\'` ])([.]{2,4}[\\\\/;]+|[.][.]%|[.]{2}[\\\\/]){2}|[\\\\/][.]{2,3}(;|[\\\\/])|^[.]{2,3}[\\\\/]|[\\\\/][.]{2}$|[.]{4}[\\\\/]{2}',
  ),
  new Rule(
    'lfi/system-file',
    C,
    1,
    EVERYWHERE,
    '[\\\\/ =:"\'](etc[\\\\/]+(passwd|shadow|group|hosts|issue|motd|mysql|ssh|apache2?|nginx|httpd|crontab|sudoers|fstab|profile|environment|resolv[.]conf|my[.]cnf|os-release|hostname)|proc[\\\\/]+(self|version|cmdline|\\d+|net|cpuinfo|mounts)|var[\\\\/]+log[\\\\/]|var[\\\\/]+run[\\\\/]secrets|root[\\\\/]+[.]|usr[\\\\/]+local[\\\\/]+(apache|nginx)|windows[\\\\/]+(win[.]ini|system32|system[.]ini|repair)|winnt[\\\\/]|boot[.]ini|dev[\\\\/](tcp|udp|random|zero|fd)[\\\\/]?)|^(boot[.]ini|win[.]ini)$|c:[\\\\/]+(windows|winnt|boot[.]ini|inetpub)',
  ),
  new Rule(
    'lfi/hidden-file',
    C,
    1,
    Target.Path | Target.Args,
    '(^|[\\\\/])([.](git|svn|hg|bzr)([\\\\/]|$)|[.](env|htaccess|htpasswd|bash_history|bash_profile|bashrc|zsh_history|mysql_history|psql_history|npmrc|pypirc|netrc|pgpass|dockercfg|ds_store|aws[\\\\/]credentials|ssh[\\\\/]|docker[\\\\/]config)|id_(rsa|dsa|ecdsa|ed25519)([.]|$)|authorized_keys|wp-config[.]|web-inf[\\\\/]|meta-inf[\\\\/]context|web[.]config|appsettings([.][a-z]+)?[.]json$|config[.]inc[.]php|localsettings[.]php|credentials[.]json$|phpinfo[.]php|server-status$|server-info$|nginx[.]conf|httpd[.]conf|docker-compose[.]ya?ml|[.]kube[\\\\/]config|composer[.]lock$|database[.]yml$|actuator[\\\\/](env|heapdump|jolokia|gateway|shutdown)|[^\\\\/]+[.](sql|bak|old|swp|orig|backup)(~|[.](gz|zip))?$)',
  ),
  new Rule(
    'lfi/wrapper',
    C,
    1,
    INPUT | Target.Path | Target.Referer,
    '(php|phar|zip|zlib|bzip2|glob|expect|ogg|rar|ssh2([.](shell|exec|tunnel|sftp|scp))?|compress[.](zlib|bzip2)|netdoc|jar|dict|gopher|ldaps?|tftp|sftp|file|view-source|local_file)://|(php|data|phar|expect)://?(filter|input|text|memory|temp|stdin)|data:(text|application)/[a-z+-]+;base64,',
  ),
  new Rule(
    'lfi/zero-byte-suffix',
    Severity.Error,
    2,
    INPUT,
    '[.](php|jsp|asp|aspx|cgi|pl|ini|conf|log)(%00|\\W)',
  ),
  new Rule(
    'rfi/include',
    C,
    1,
    Target.Args | Target.Cookies | Target.Body,
    '^(https?|ftps?):/{1,3}\\d{1,3}[.]\\d{1,3}[.]\\d{1,3}[.]\\d{1,3}(:\\d+)?[/:].*[.](php|phtml|txt|jsp|asp|aspx|sh|pl|py|exe|cgi|jar|war)(\\?|$|#)|^(https?|ftps?):/{1,3}.*(\\?|[.](txt|php|phtml|gif|jpe?g|png)\\?+)$|^(https?|ftps?):/{1,3}.*/(c99|r57|shell|cmd|webshell|b374k|wso|backdoor|evil|exploit|payload)[\\w-]*[.]?',
  ),
  new Rule(
    'ssrf/metadata',
    C,
    1,
    INPUT | Target.Path | Target.Referer | Target.Headers,
    '169[.]254[.](169[.]25[34]|170[.]2)|metadata[.](google[.]internal|goog|azure[.]com|tencentyun)|100[.]100[.]100[.]200|192[.]0[.]0[.]192|instance-data[.]?/|fd00:ec2::254|latest/(meta-data|user-data|api/token)|computemetadata/v1|0xa9fea9fe|2852039166|0251[.]0376',
  ),
  new Rule(
    'ssrf/internal-address',
    C,
    1,
    Target.Args | Target.Cookies | Target.Body,
    '(https?|ftp|wss?|redis|mysql|mongodb|smb|gopher|dict):/{1,3}([^/@ ]*@)?(localhost|127[.]|0[.]0[.]0[.]0|0x7f|017700|2130706433|\\[::1?\\]|\\[0:0|\\[::ffff:|\\[fe80|\\[fd|10[.]\\d+[.]\\d+[.]\\d|192[.]168[.]\\d|172[.](1[6-9]|2\\d|3[01])[.]\\d|host[.]docker[.]internal|kubernetes[.]default|localtest[.]me|[^/ ]*[.](nip|sslip|xip)[.]io)',
  ),
  new Rule(
    'upload/script',
    C,
    1,
    Target.FileNames,
    '[.](ph(p\\d?|tml|ps|ar|t)|jspx?|jsw|jsv|jspf|aspx?|ashx|asmx|ascx|cer|cshtml|vbhtml|cgi|pl|py|rb|sh|bash|bat|cmd|ps1|psm1|exe|dll|com|scr|hta|vbs?|wsf|htaccess|user[.]ini|war|jar|svgz?x)([.;:% ]|$)|^[.]|[\\\\/]',
  ),
];
