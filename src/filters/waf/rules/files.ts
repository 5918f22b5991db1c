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
    '[\\\\/ =:"\'](etc[\\\\/]+(passwd|shadow|group|hosts|issue|motd|mysql|ssh|apache2?|nginx|httpd|crontab|sudoers|fstab|profile|environment|resolv[.]conf|my[.]cnf|os-release|hostname)|proc[\\\\/]+(self|version|cmdline|\\d+|net|cpuinfo|mounts)|var[\\\\/]+log[\\\\/]|var[\\\\/]+run[\\\\/]secrets|root[\\\\/]+[.]|usr[\\\\/]+local[\\\\/]+(apache|nginx)|windows[\\\\/]+(win[.]ini|system32|system[.]ini|repair)|winnt[\\\\/]|boot[.]ini|dev[\\\\/](tcp|udp|random|zero|fd)[\\\\/]?)|^(boot[.]ini|win[.]ini)$|c:[\\\\/]+(windows|winnt|boot[.]ini|inetpub)|(^|/)(proc/(\\d+|self|interrupts|meminfo|ioports|modules|filesystems|kallsyms|stat|swaps|uptime|config|bus|devices)|sys/(class|devices|kernel|module|firmware|block|bus|fs|hypervisor|power)(/|$))|[\\\\/ =:"\'](etc[\\\\/]+(\\w+[\\\\/]|\\w+[.]conf|\\w*rc$|mtab|inetd|services|protocols|networks|exports|aliases|securetty|shells|login[.]defs|hosts[.](allow|deny)|ld[.]so|rc[.]local|timezone|machine-id|gshadow|subuid|letsencrypt)|usr[\\\\/]+(local[\\\\/]+)?(etc|share)[\\\\/]|var[\\\\/]+(log|lib|spool|mail|www|backups|cache|run)[\\\\/]|home[\\\\/]+\\w+[\\\\/]+[.]|root[\\\\/]+\\w|boot[\\\\/]+(grub|vmlinuz|initrd)|opt[\\\\/]+\\w+[\\\\/]+(conf|etc|logs)|windows[\\\\/]+\\w|program files|inetpub[\\\\/]|system32)|[\\\\/](etc|proc|sys|dev|root|boot|var)[\\\\/]+(self|\\d+)[\\\\/]+(environ|cmdline|fd|maps|status|mem|cwd|root|exe|auxv|mounts|net|task)|(^|[\\\\/])(ntuser[.](dat|ini)|sam|system[.]sav|unattend[.]xml|sysprep[.]inf|sysprep[.]xml|autoexec[.]bat|config[.]sys|php[.]ini|my[.](cnf|ini)|httpd[.]conf|access[._]log|error[._]log|global[.]asax?|machine[.]config|applicationhost[.]config|tomcat-users[.]xml|catalina[.]out|pg_hba[.]conf|postgresql[.]conf|redis[.]conf|sshd?_config|known_hosts|crontab|mtab|resolv[.]conf|shadow-|passwd-)$|\\W(apache2?|httpd|nginx|tomcat\\d?|mysql|lampp?|xampp|wamp|iis)[\\\\/]+(conf|logs?|bin|data|etc|htdocs)[\\\\/]|[\\\\/]minint[\\\\/]',
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
    '\\W(php|phar|zip|zlib|bzip2|glob|expect|ogg|rar|ssh2([.](shell|exec|tunnel|sftp|scp))?|compress[.](zlib|bzip2)|netdoc|jar|dict|gophers?|ldap[si]?|tftp|sftp|file|view-source|local_file|php[.]\\w+|ogg|smbs?|nfs|rmi|iiop|jnp|svn(\\+ssh)?|imaps?|pop3s?|smtps?|rtmp|telnet|res|mk|ms-its|shell|vbscript|wrapper|resource|chrome|app|vfs|bundle[a-z]*|classpath|war|jdbc(:\\w+)+):/{1,2}[^ ]|^(url|jar|feed|view-source):(https?|file|ftp|jar|netdoc|url|gopher):|(^|[=,;(\'" ])(file|netdoc|jar|gopher|local_file):/{0,3}([a-z]:|[\\w.~%-]*/)|(php|data|phar|expect)://?(filter|input|text|memory|temp|stdin)|data:(text|application)/[a-z+-]+;base64,|^ ?data:(text|application)/|data:;base64|data://|(^|[=\'"( ])(zip|phar|rar|ogg|glob|expect|zlib|compress[.]\\w+):[/.\\w]*[/.]',
  ),
  new Rule(
    'lfi/zero-byte-suffix',
    Severity.Error,
    2,
    INPUT,
    '[.](php|jsp|asp|aspx|cgi|pl|ini|conf|log)(%00|\\W)',
  ),
  new Rule(
    'upload/script',
    C,
    1,
    Target.FileNames,
    '[.] ?(ph(p\\d*|tml|ps|ar|pt|t)|jspx?|jsw|jsv|jspf|aspx?|ashx|asmx|ascx|cer|cshtml|vbhtml|cgi|pl|py|rb|sh|bash|bat|cmd|ps1|psm1|exe|dll|com|scr|hta|vbs?|wsf|htaccess|user[.]ini|war|jar|svgz?x)([.;:% ]|$)|^[.]|[\\\\/]',
  ),
];
