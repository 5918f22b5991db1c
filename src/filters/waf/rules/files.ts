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
    '(^|[\\\\/:=,;"\'` ])([.]{2,4}[\\\\/;]+|[.][.]%|[.]{2}[\\\\/]){2}|[\\\\/][.]{2,3}(;|[\\\\/])|^[.]{2,3}[\\\\/]|[\\\\/][.]{2}$|[.]{4}[\\\\/]{2}|(0x5c|0x2f|[\\\\/])([.]|0x2e|%2e){2,3}(0x5c|0x2f|[\\\\/])|(0x2e){2}|0x2f[.]{2}',
  ),
  new Rule(
    'lfi/system-file',
    C,
    1,
    EVERYWHERE,
    '[\\\\/ =:"\'](etc[\\\\/]+(passwd|shadow|group|hosts|issue|motd|mysql|ssh|apache2?|nginx|httpd|crontab|sudoers|fstab|profile|environment|resolv[.]conf|my[.]cnf|os-release|hostname)|proc[\\\\/]+(self|version|cmdline|\\d+|net|cpuinfo|mounts)|var[\\\\/]+log[\\\\/]|var[\\\\/]+run[\\\\/]secrets|root[\\\\/]+[.]|usr[\\\\/]+local[\\\\/]+(apache|nginx)|windows[\\\\/]+(win[.]ini|system32|system[.]ini|repair)|winnt[\\\\/]|boot[.]ini|dev[\\\\/](tcp|udp|random|zero|fd)[\\\\/]?)|^(boot[.]ini|win[.]ini)$|c:[\\\\/]+(windows|winnt|boot[.]ini|inetpub)|(^|/)(proc/(\\d+|self|interrupts|meminfo|ioports|modules|filesystems|kallsyms|stat|swaps|uptime|config|bus|devices)|sys/(class|devices|kernel|module|firmware|block|bus|fs|hypervisor|power)(/|$))|[\\\\/ =:"\'](etc[\\\\/]+(\\w+[\\\\/]|\\w+[.]conf|\\w*rc$|mtab|inetd|services|protocols|networks|exports|aliases|securetty|shells|login[.]defs|hosts[.](allow|deny)|ld[.]so|rc[.]local|timezone|machine-id|gshadow|subuid|letsencrypt)|usr[\\\\/]+(local[\\\\/]+)?(etc|share)[\\\\/]|var[\\\\/]+(log|lib|spool|mail|www|backups|cache|run)[\\\\/]|home[\\\\/]+\\w+[\\\\/]+[.]|root[\\\\/]+\\w|boot[\\\\/]+(grub|vmlinuz|initrd)|opt[\\\\/]+\\w+[\\\\/]+(conf|etc|logs)|windows[\\\\/]+\\w|program files|inetpub[\\\\/]|system32)',
  ),
  new Rule(
    'lfi/hidden-file',
    C,
    1,
    Target.Path | Target.Args | Target.FileNames,
    '(^|[\\\\/])([.](git|svn|hg|bzr)([\\\\/]|$)|[.](env|htaccess|htpasswd|bash_history|bash_profile|bashrc|zsh_history|mysql_history|psql_history|npmrc|pypirc|netrc|pgpass|dockercfg|ds_store|aws[\\\\/]credentials|ssh[\\\\/]|docker[\\\\/]config)|id_(rsa|dsa|ecdsa|ed25519)([.]|$)|authorized_keys|wp-config[.]|web-inf[\\\\/]|meta-inf[\\\\/]context|web[.]config|appsettings([.][a-z]+)?[.]json$|config[.]inc[.]php|localsettings[.]php|credentials[.]json$|phpinfo[.]php|server-status$|server-info$|nginx[.]conf|httpd[.]conf|docker-compose[.]ya?ml|[.]kube[\\\\/]config|composer[.]lock$|database[.]yml$|actuator[\\\\/](env|heapdump|jolokia|gateway|shutdown)|[^\\\\/]+[.](sql|bak|old|swp|orig|backup)(~|[.](gz|zip))?$)|(^|[\\\\/])(wp-config[-_.]|settings[.] ?php|config[.] ?(ya?ml|php|json|toml|ini|xml)$|secrets?[.](ya?ml|json|toml|env|txt)$|credentials$|[.](boto|s3cfg|pgpass|mysql_history|python_history|node_repl_history|lesshst|viminfo|gitconfig|git-credentials|netrc|rhosts|shosts|profile|tcshrc|cshrc|kshrc|bash_\\w+|zsh\\w+|vault-token|kube|gnupg|aws|azure|docker|ssh|config|npmrc|yarnrc|pypirc|gem|terraform\\w*|env[.\\w-]*))',
  ),
  new Rule(
    'lfi/hidden-path',
    C,
    1,
    Target.Path,
    '/[.]([a-vx-z0-9_]|w[^e]|we[^l]|wel[^l]|well[^-])[\\w.-]*(/|$)|/@(id|fs|vite)/|__x00__|[.](db|rdb|dbf|mdb|sqlite3?|pem|key|pfx|p12|jks|keystore|ppk|kdbx|sql|bak|backup|old|orig|swp|swo|inc|ini|conf|cfg|log|passwd|htpasswd|dmp|ovpn|rdp|psql|pcap|asa|asax|axd|cmd|bat|lnk|vbs|vxd|licx|resx|resources|webinfo|ida|idq|idc|htr|htw|cdx)(~|$)|\\w~(/|$)|(^|/)(wp-content/)?(debug|errors?|access|laravel|application|production|server|catalina|install|npm-debug|yarn-error)[._-]?log$',
  ),
  new Rule(
    'lfi/wrapper',
    C,
    1,
    INPUT | Target.Path | Target.Referer,
    '(php|phar|zip|zlib|bzip2|glob|expect|ogg|rar|ssh2([.](shell|exec|tunnel|sftp|scp))?|compress[.](zlib|bzip2)|netdoc|jar|dict|gopher|ldaps?|tftp|sftp|file|view-source|local_file)://|(php|data|phar|expect)://?(filter|input|text|memory|temp|stdin)|data:(text|application)/[a-z+-]+;base64,|^ ?data:(text|application)/',
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
    '^(https?|ftps?):/{1,3}\\d{1,3}[.]\\d{1,3}[.]\\d{1,3}[.]\\d{1,3}(:\\d+)?[/:].*[.](php|phtml|txt|jsp|asp|aspx|sh|pl|py|exe|cgi|jar|war)(\\?|$|#)|^(https?|ftps?):/{1,3}.*(\\?|[.](txt|php|phtml|gif|jpe?g|png)\\?+)$|^(https?|ftps?):/{1,3}.*/(c99|r57|shell|cmd|webshell|b374k|wso|backdoor|evil|exploit|payload)[\\w-]*[.]?|^(file|ftps?|https?)(:[^ ]*)?\\?+$|^(file|ftps?|https?|ssh2?|sftp|smb|tftp)://([^/@ ]*@)?(\\d{1,3}[.]){3}\\d{1,3}(\\W|$)|(include|require)(_once)? ?\\(? ?[\'"]?(https?|ftps?|php|data|file):',
  ),
  // What PHP applications of old took for their own settings.
  new Rule(
    'rfi/setting',
    C,
    1,
    Target.ArgNames,
    '^(_(server|session|request|get|post|cookie|files|env|conf)\\[|globals\\[|mosconfig_|gallery_basedir|appserv_root|config\\[root_dir\\]|path\\[docroot\\]|phpbb_root_path|http_(post|get|server)_vars)',
  ),
  new Rule(
    'ssrf/metadata',
    C,
    1,
    INPUT | Target.Path | Target.Referer | Target.Headers,
    '169[.]254[.](169[.]25[34]|170[.]2)|metadata[.](google[.]internal|goog|azure[.]com|tencentyun)|100[.]100[.]100[.]200|192[.]0[.]0[.]192|instance-data[.]?/|fd00:ec2::254|latest/(meta-data|user-data|api/token)|computemetadata/v1|0xa9fea9fe|2852039166|0251[.]0376|metadata[.](packet[.]net|oraclecloud[.]com|platformequinix[.]com|nicira\\w*|service[.]internal|cloud[.]internal)|rancher-metadata/|192[.]0[.]0[.]192|169[.]254[.]\\d+[.]\\d+|/(opc|openstack|metadata)/(v\\d|latest|instance)|user-?data/?$|\\[fd00:ec2|instance/service-accounts|127[.]0[.]0[.]1:(2375|2379|10250|10255|9200|6379|11211|8500)|unix:[^|]*[|](https?|fcgi|ajp|wss?)://',
  ),
  new Rule(
    'ssrf/internal-address',
    C,
    1,
    Target.Args | Target.Cookies | Target.Body,
    '(https?|ftp|wss?|redis|mysql|mongodb|smb|gopher|dict):/{0,3}([^/@ ]*@)?(localhost|127[.]|0[.]0[.]0[.]0|0x7f|017700|2130706433|\\[::1?\\]|\\[0:0|\\[::ffff:|\\[fe80|\\[fd|10[.]\\d+[.]\\d+[.]\\d|192[.]168[.]\\d|172[.](1[6-9]|2\\d|3[01])[.]\\d|host[.]docker[.]internal|kubernetes[.]default|localtest[.]me|[^/ ]*[.](nip|sslip|xip)[.]io)',
  ),
  new Rule(
    'upload/script',
    C,
    1,
    Target.FileNames,
    '[.] ?(ph(p\\d*|tml|ps|ar|pt|t)|jspx?|jsw|jsv|jspf|aspx?|ashx|asmx|ascx|cer|cshtml|vbhtml|cgi|pl|py|rb|sh|bash|bat|cmd|ps1|psm1|exe|dll|com|scr|hta|vbs?|wsf|htaccess|user[.]ini|war|jar|svgz?x)([.;:% ]|$)|^[.]|[\\\\/]',
  ),
];
