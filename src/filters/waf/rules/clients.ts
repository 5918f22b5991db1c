import { EVERYWHERE, Rule, Severity, Target } from '../rule';

const C = Severity.Critical;

/** Who asks, and how. The rules without a pattern are decided in `inspection.ts`. */
export const CLIENTS: Rule[] = [
  new Rule(
    'scanner/user-agent',
    C,
    1,
    Target.UserAgent,
    '(sqlmap|nikto|nessus|nmap|masscan|zgrab|zmap|nuclei|acunetix|netsparker|invicti|w3af|arachni|wpscan|dirbuster|gobuster|dirb |dirsearch|feroxbuster|ffuf|wfuzz|hydra|burp|zaproxy|owasp.?zap|openvas|skipfish|vega/|webinspect|qualys|appscan|havij|pangolin|jorgee|whatweb|joomscan|droopescan|commix|xsser|xspider|sqlninja|bsqlbf|jaeles|fimap|grabber|metis|cgichk|mysqloit|n-stealth|paros|absinthe|brutus|morfeus|internetmeasurement|censysinspect|l9explore|l9tcpid|tplmap|dalfox|xsstrike|interactsh)',
  ),
  new Rule(
    'scanner/trace',
    C,
    1,
    EVERYWHERE,
    'acunetix[-_]|appscan_|/nikto-|nessus_|\\Wsqlmap\\W|qualys(guard|periscope)|wvs_?test|[.](oastify|burpcollaborator|interact|oast)[.](net|com|sh|fun|pro|live|site|online|me)|bxss[.]me|dnslog[.](cn|link)|ceye[.]io|canarytokens[.]',
  ),
  new Rule('protocol/header-injection', C, 1, EVERYWHERE, ''),
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
