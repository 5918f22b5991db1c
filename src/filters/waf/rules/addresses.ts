import { INPUT, Rule, Severity, Target } from '../rule';

const C = Severity.Critical;
/** Of what servers fetch, and whom it says it is. */
const SCHEME =
  '\\W(https?|ftps?|wss?|redis|mysql|mongodb|postgres(ql)?|amqps?|smb|gopher|dict|ldaps?|tftp|sftp|ssh|file):/{0,3}([^/@ ]*@)?';

/** Addresses that the server would fetch from. */
export const ADDRESSES: Rule[] = [
  new Rule(
    'rfi/include',
    C,
    1,
    Target.Args | Target.Cookies | Target.Body,
    '^(https?|ftps?):/{1,3}\\d{1,3}[.]\\d{1,3}[.]\\d{1,3}[.]\\d{1,3}(:\\d+)?[/:].*[.](php|phtml|txt|jsp|asp|aspx|sh|pl|py|exe|cgi|jar|war)(\\?|$|#)|^(https?|ftps?):/{1,3}.*(\\?|[.](txt|php|phtml|gif|jpe?g|png)\\?+)$|^(https?|ftps?):/{1,3}.*/(c99|r57|shell|cmd|webshell|b374k|wso|backdoor|evil|exploit|payload)[\\w-]*[.]?|^(file|ftps?|https?)(:[^ ]*)?\\?+$|^(file|ftps?|https?|ssh2?|sftp|smb|tftp)://([^/@ ]*@)?(\\d{1,3}[.]){3}\\d{1,3}(\\W|$)|(include|require)(_once)? ?\\(? ?[\'"]?(https?|ftps?|php|data|file):',
  ),
  // Names of what is read as code; counts where the value is an address of another server. See `inspector.ts`.
  new Rule(
    'rfi/parameter',
    C,
    1,
    Target.ArgNames,
    '^(inc|include|includes|require)$|(^|[_\\[.-])(include|inc|absolute|abs|root|base|basic|document|doc|docs|lib|library|template|tpl|theme|config|conf|class|classes|module|plugin|lang|language|skin|core|main|files?|app|site|script|php|phpbb|vbulletin|server|sys|system|func|function)[_-]?(path|dir|directory|folder|root|file|inc|include|url|page)s?\\]?$|^\\w*(_|\\[)(path|dir|root|inc|include)\\]?$',
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
    '169[.]254[.](169[.]25[34]|170[.]2)|metadata[.](google[.]internal|goog|azure[.]com|tencentyun)|100[.]100[.]100[.]200|192[.]0[.]0[.]192|instance-data[.]?/|fd00:ec2::254|latest/(meta-data|user-data|api/token)|computemetadata/v1|0xa9fea9fe|2852039166|0251[.]0376|metadata[.](packet[.]net|oraclecloud[.]com|platformequinix[.]com|nicira\\w*|service[.]internal|cloud[.]internal)|rancher-metadata/|192[.]0[.]0[.]192|169[.]254[.]\\d+[.]\\d+|/(opc|openstack|metadata)/(v\\d|latest|instance)|user-?data/?$|\\[fd00:ec2|instance/service-accounts|127[.]0[.]0[.]1:(2375|2379|10250|10255|9200|6379|11211|8500)|unix:[^|]*[|](https?|fcgi|ajp|wss?)://|://(\\d{1,3}[.]){3}\\d{1,3}:(22|23|25|2375|2379|3306|5432|5984|6379|8500|9000|9200|10250|10255|11211|27017)(/|$)|169[.]254[.]170[.]|\\Wfd20:ce::254|metadata/(instance|identity|v1)|/openstack/|0xa9[.]0xfe|0xa9fe|025177524776|[^\\d]425[.]510[.]|::ffff:a9fe:|a9fe:a9fe',
  ),
  new Rule(
    'ssrf/internal-address',
    C,
    1,
    Target.Args | Target.Cookies | Target.Body,
    SCHEME +
      '(localhost|localhost[.]localdomain|ip6-localhost|127[.]|0[.]0[.]0[.]0|0(:\\d+)?(/|$)|0x7f|017700|2130706433|\\[[0:]*:1?\\]|\\[0:0|\\[[0:]*:ffff:|\\[fe[89ab]|\\[f[cd]|10[.]\\d+[.]\\d+[.]\\d|192[.]168[.]\\d|172[.](1[6-9]|2\\d|3[01])[.]\\d|100[.](6[4-9]|[789]\\d|1[01]\\d|12[0-7])[.]\\d|host[.](docker|containers)[.]internal|gateway[.]docker[.]internal|kubernetes[.]default|([^/@ ]*[.])?(nip|sslip|xip)[.]io|([^/@ ]*[.])?(localtest[.]me|lvh[.]me|vcap[.]me|lacolhost[.]com|yoogle[.]com|1u[.]ms|rbndr[.]us|localdomain|localhost|internal|intranet|corp|lan|home[.]arpa|cluster[.]local|svc|consul)([:/?#]|$))|' +
      SCHEME +
      // What a resolver takes for an address of four parts, and nobody writes who has nothing to hide.
      '(\\d{8,10}|0x[\\da-f]{1,8}|0[0-7]{1,12}|(\\d+|0x[\\da-f]+)[.](\\d+|0x[\\da-f]+)([.](\\d+|0x[\\da-f]+))?|((0\\d+|0x[\\da-f]+|\\d+)[.]){0,3}(0[0-7]+|0x[\\da-f]+)([.](0\\d+|0x[\\da-f]+|\\d+)){0,3})[.]?([:/?#]|$)|' +
      SCHEME +
      '[^/ ]*(%00|[ \\\\#?&][^/ ]*)@(localhost|[\\d\\[][\\d.:]*)|^(gophers?|dict|ldap[si]?|tftp|netdoc|jar|sftp):',
  ),
];
