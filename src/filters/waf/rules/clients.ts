import { EVERYWHERE, INPUT, Rule, Severity, Target } from '../rule';

const C = Severity.Critical;

/** Who asks, and how. The rules without a pattern are decided in `inspection.ts`. */
export const CLIENTS: Rule[] = [
  new Rule(
    'scanner/user-agent',
    C,
    1,
    Target.UserAgent,
    '(sqlmap|nikto|nessus|nmap|masscan|zgrab|zmap|nuclei|acunetix|netsparker|invicti|w3af|arachni|wpscan|dirbuster|gobuster|dirb |dirsearch|feroxbuster|ffuf|wfuzz|hydra|burp|zaproxy|owasp.?zap|openvas|skipfish|vega/|webinspect|qualys|appscan|havij|pangolin|jorgee|whatweb|joomscan|droopescan|commix|xsser|xspider|sqlninja|bsqlbf|jaeles|fimap|grabber|metis|cgichk|mysqloit|n-stealth|paros|absinthe|brutus|morfeus|internetmeasurement|censysinspect|l9explore|l9tcpid|tplmap|dalfox|xsstrike|interactsh|webshag|webvulnscan|whatweb|wpscan|xenu.?link|zmeu|python-nmap|pmafind|pycurl-scan|toata|shellshock|springenum|sqlbrute|struts-pwn|hello, ?world|bandit|black widow|blackwidow|core-project|dav[.]pm|grendel-scan|inspathx|internet ninja|libwhisker|nsauditor|prog[.]customcrawler|purebot|redhunt|security scan|sitelockspider|sitesucker|webcruiser|webbandit|webtrends security|whitehat security|wfbot|detectify|httpx - open|projectdiscovery|probely|rapid7|intruder[.]io|crowdstrike-scan|leakix|nettacker|wpsec|netscan|cyberdog|vulscan|kiterunner|katana|subfinder)',
  ),
  new Rule(
    'scanner/trace',
    C,
    1,
    EVERYWHERE,
    'acunetix[-_]|appscan_|/nikto-|nessus_|\\Wsqlmap\\W|qualys(guard|periscope)|wvs_?test|[.](oastify|burpcollaborator|interact|oast)[.](net|com|sh|fun|pro|live|site|online|me)|bxss[.]me|dnslog[.](cn|link)|ceye[.]io|canarytokens[.]',
  ),
  new Rule('protocol/header-injection', C, 1, EVERYWHERE, ''),
  new Rule(
    'protocol/request-in-value',
    C,
    1,
    INPUT | Target.Headers | Target.Referer | Target.Path,
    '(get|post|head|options|connect|put|delete|trace|track|patch|propfind|proppatch|mkcol|copy|move|lock|unlock) [^ ]+ http/\\d|http/[0123]([.]\\d)? \\d{3}( |$)',
  ),
  new Rule('protocol/forbidden-field', C, 1, 0, ''),
  new Rule('protocol/range', C, 1, 0, ''),
  new Rule('protocol/body-of-get', C, 1, 0, ''),
  new Rule('protocol/content-type', C, 1, 0, ''),
  new Rule('protocol/accept', C, 1, 0, ''),
  new Rule('protocol/cookie-version', C, 1, Target.Cookies, '^[$](version|path|domain|port)$'),
  new Rule(
    'protocol/magic-number',
    C,
    1,
    Target.Args | Target.ArgNames | Target.Body,
    '^-?2[.]225073858507201\\d*e-308$|^1[.]7976931348623\\d+e\\+?30[89]|^-?1e309$|^(-2147483649|-?4294967296|-?9223372036854775809|18446744073709551616)$',
  ),
  new Rule(
    'session/cookie-write',
    C,
    1,
    EVERYWHERE,
    'document[.]cookie ?=|[.]cookie\\W.*(expires|domain|path) ?=|http-equiv\\W+set-cookie|set-cookie ?:',
  ),
  // Counts where a page of another host has sent the client here.
  new Rule(
    'session/fixation',
    C,
    1,
    Target.ArgNames,
    '^(__(host|secure)-)?([\\w.:-]+sess(ion)?(id)?|sess(ion)?id|[\\w.:-]+[._:-]session[._:-](id|key|token)|[\\w-]*[.:](sid|sess|session)|j?sessid|sessid|phpsess\\w*|aspsession\\w*|cf(s?id|token)|cakephp|laravel_token|meteor_login_token|shiny-token|rack[.]session|ci_session)$',
  ),
  new Rule('protocol/multipart-name', C, 1, 0, ''),
  new Rule('protocol/zero-byte', C, 1, EVERYWHERE, ''),
  new Rule('protocol/method', C, 1, 0, ''),
  new Rule('protocol/body-unread', C, 1, 0, ''),
  new Rule('protocol/bad-escape', Severity.Warning, 1, 0, ''),
  new Rule('protocol/repeated-field', C, 1, 0, ''),
  new Rule('protocol/no-user-agent', Severity.Notice, 1, 0, ''),
  new Rule('protocol/no-accept', Severity.Notice, 2, 0, ''),
  new Rule('protocol/address-as-host', Severity.Warning, 1, 0, ''),
  new Rule('protocol/too-complex', C, 1, 0, ''),
  new Rule('protocol/many-arguments', C, 1, 0, ''),
];
