/** Who caused it. The access log, the metrics and the retry policy all split by this. */
export type ErrorSource = 'downstream' | 'upstream' | 'filter' | 'config' | 'internal';

/** What one code stands for. `weir explain WEIRnnnn` prints it and docs/errors.md lists it. */
export interface ErrorEntry {
  readonly title: string;
  readonly source: ErrorSource;
  /** Why weir refuses it or warns about it. */
  readonly explanation: string;
  /** What to do. */
  readonly fix: string;
}

/**
 * Every code weir can report, in one table.
 *
 * WEIR10xx text and shape of the configuration; WEIR12xx modules and filters; WEIR13xx
 * certificates; WEIR20xx objects that contradict each other; WEIR21xx references; WEIR30xx
 * warnings; WEIR40xx a configuration that was refused when it was tried. A code is never used for
 * something else later.
 */
export const ERRORS = {
  WEIR1001: {
    title: 'the file is not valid YAML',
    source: 'config',
    explanation:
      'The text breaks a rule of YAML 1.2, so nothing after it can be trusted to mean what was meant. Common causes: a tab in the indentation, a missing space after a colon, an unclosed quote or bracket, a tag that weir does not know.',
    fix: 'Look at the place that is marked and at the line before it.',
  },
  WEIR1002: {
    title: 'a key is written twice in one mapping',
    source: 'config',
    explanation:
      'YAML forbids it, and parsers that allow it disagree on which of the two values counts. Weir never guesses.',
    fix: 'Keep one of the two.',
  },
  WEIR1003: {
    title: 'the file cannot be read',
    source: 'config',
    explanation:
      'The path does not exist, may not be read by this user, is larger than 8 MiB, or is not UTF-8 text.',
    fix: 'Check the path and its permissions. Weir reads *.yaml and *.yml in folders, sub-folders included.',
  },
  WEIR1004: {
    title: 'too many aliases',
    source: 'config',
    explanation:
      'Aliases (*name) repeat a part of the document. A few lines of them can grow to gigabytes, so a document may hold 100 at most, nested aliases count for every place they end up in, and an alias must not contain itself.',
    fix: 'Write the repeated part out, or split the file.',
  },
  WEIR1005: {
    title: 'nested too deeply',
    source: 'config',
    explanation:
      'No object of weir needs more than 64 levels, so a deeper document is a mistake or an attack.',
    fix: 'Check the indentation or the brackets around the place that is marked.',
  },
  WEIR1010: {
    title: 'unknown kind',
    source: 'config',
    explanation:
      'apiVersion and kind together do not name anything that weir reads. Weir is strict here: an object that was skipped in silence could be the one that protects a route.',
    fix: 'Correct the spelling. docs/configuration.md lists the kinds and their apiVersions.',
  },
  WEIR1011: {
    title: 'not a configuration object',
    source: 'config',
    explanation: 'Every document is a mapping with apiVersion, kind and metadata.name.',
    fix: 'Add what is missing, or move the file out of the folder that weir reads.',
  },
  WEIR1012: {
    title: 'this kind is not supported yet',
    source: 'config',
    explanation:
      'The kind exists in the Gateway API or in the model of weir, but this version does not act on it. Accepting it would promise something that does not happen.',
    fix: 'Remove the object, or use a version of weir that supports it.',
  },
  WEIR1040: {
    title: 'wrong type',
    source: 'config',
    explanation:
      'The field holds a value of another type than the schema says, for example text where a list belongs.',
    fix: 'Write a value of the type that the message names. Quote text that YAML would read as a number or as true.',
  },
  WEIR1041: {
    title: 'missing field',
    source: 'config',
    explanation: 'The schema requires the field, and there is no sensible default for it.',
    fix: 'Add the field.',
  },
  WEIR1042: {
    title: 'unknown field',
    source: 'config',
    explanation:
      'The schema has no such field at this place. Weir never ignores one: a misspelt field would be a rule that does not hold.',
    fix: 'Take the suggestion, or look the field up in docs/configuration.md. Often the field is right and the indentation is not.',
  },
  WEIR1043: {
    title: 'not one of the allowed values',
    source: 'config',
    explanation: 'The field takes one of a fixed list of values. Case matters.',
    fix: 'Use one of the values that the message lists.',
  },
  WEIR1044: {
    title: 'value out of range or malformed',
    source: 'config',
    explanation:
      'The value has the right type but breaks a rule of the field: its range, its length, or its form (durations as 250ms or 1h30m, sizes as 64Ki, lower-case DNS names, regular expressions that compile).',
    fix: 'Correct the value as the message says.',
  },
  WEIR1045: {
    title: 'this field or value is not supported yet',
    source: 'config',
    explanation:
      'The field or value is part of the Gateway API or of the model of weir, so it is no spelling mistake, but this version does not act on it. Accepting it would promise something that does not happen.',
    fix: 'Remove it, or use a version of weir that supports it.',
  },
  WEIR1046: {
    title: 'fields that do not go together',
    source: 'config',
    explanation: 'Each field is right by itself, but a rule over several of them is broken.',
    fix: 'Change one of the fields that the message names.',
  },
  WEIR1201: {
    title: 'the module file cannot be read',
    source: 'config',
    explanation:
      'source.file is taken relative to the YAML file that names it. The file does not exist, may not be read, or is larger than 8 MiB.',
    fix: 'Build the module, or correct the path.',
  },
  WEIR1202: {
    title: 'the module is not the one that was pinned',
    source: 'config',
    explanation:
      'The sha256 of the bytes differs from the one in the Module. Weir checks before it compiles anything.',
    fix: 'If the new bytes are meant, update sha256 to the value in the message. If not, find out who replaced the file.',
  },
  WEIR1203: {
    title: 'the file is not a WebAssembly module',
    source: 'config',
    explanation: 'The bytes do not start with the magic number and version 1 of WebAssembly.',
    fix: 'Point source.file at the .wasm file, not at its source or its text form.',
  },
  WEIR1205: {
    title: 'unknown filter',
    source: 'config',
    explanation:
      '`use` names a filter that ships with weir, or module/<name> for a Module in the same namespace.',
    fix: 'Correct the name.',
  },
  WEIR1207: {
    title: 'the filter refuses its configuration',
    source: 'config',
    explanation:
      'The filter carries a JSON Schema for its configuration, and what was written under `config` breaks it. A module carries it in its custom section `weir.schema`; the message names the line of the source that the rule comes from, where the module tells it.',
    fix: 'Correct the value. The README of a built-in filter shows its fields; `weir schema` writes a schema with which an editor shows those of modules.',
  },
  WEIR1208: {
    title: 'the module is not signed',
    source: 'config',
    explanation:
      '`signedBy` of the Module, or an enforced TrustedKey of its namespace, asks for a signature, and the file with signatures is not there or cannot be read. Weir checks before it compiles anything.',
    fix: 'Sign the module: weir filter sign FILE --key KEY writes FILE.wasm.sig, weir filter push takes it along to a registry. Another file is named under `signature`.',
  },
  WEIR1209: {
    title: 'no trusted key has signed the module',
    source: 'config',
    explanation:
      'None of the signatures is one of the keys that the message names over the sha256 that it names. The module was changed after it was signed, or somebody else signed it.',
    fix: 'Sign the module anew with the right key. If nobody meant to change it, find out who did.',
  },
  WEIR1210: {
    title: 'the key of a TrustedKey cannot be used',
    source: 'config',
    explanation:
      'It is not an Ed25519 public key in PEM or in base64 of 32 bytes, or its file cannot be read.',
    fix: 'Write the public key: openssl pkey -in KEY -pubout.',
  },
  WEIR1211: {
    title: 'the filter does not handle this protocol',
    source: 'config',
    explanation:
      'A chain that connections of a TCP listener pass holds a filter that has callbacks for HTTP alone, or the other way round. It would never run there, and a filter that protects must not be passed by in silence. What a module handles is told by the callbacks that it exports.',
    fix: 'Attach the chain where its protocol is: to a listener by sectionName, or to routes of that kind.',
  },
  WEIR1212: {
    title: 'the schema of a module cannot be used',
    source: 'config',
    explanation:
      'The custom section `weir.schema` of the module, or the file under `schema.file`, is not a JSON Schema, is too large, too deep, leads back to itself, or refers to something outside of itself. A module is not trusted to cost whoever checks a configuration more than its size.',
    fix: 'Build the module anew with an SDK that writes the section, name a schema of your own under schema.file, or write schema: {mode: Off}.',
  },
  WEIR1213: {
    title: 'the schema of bodies cannot be used',
    source: 'config',
    explanation:
      'A JSON Schema in the configuration of the filter `validate` is none of draft 2020-12, has a keyword or format that weir does not know, a pattern that cannot be matched in linear time, or refers to something outside of itself. Weir takes no schema in part: what it did not check would pass.',
    fix: 'Correct the place that the message names. The README of the filter lists the formats; patterns are those of RE2 without look-around and back-references.',
  },
  WEIR1214: {
    title: 'the OpenAPI document cannot be used',
    source: 'config',
    explanation:
      'The document that `openapi.file` of the filter `validate` names cannot be read, is none of OpenAPI 3.0 or 3.1, contradicts itself, or has something in it that weir cannot hold requests against: a reference to another document, a parameter of a style that it does not read, a pattern that cannot be matched in linear time. Weir takes no document in part: what it did not check would pass.',
    fix: 'Correct the place that the message names. A parameter that the upstream is to look at itself gets `x-weir-unchecked: true`.',
  },
  WEIR1220: {
    title: 'the module cannot be pulled',
    source: 'config',
    explanation:
      'source.oci or source.http names a server that cannot be reached, that lets nobody in with these credentials, that has no such module, or that sends something else than its digest says. What serves goes on serving. A module that was pulled before is used in place of one whose server cannot be reached (WEIR3020), where a Module asks for it in the same way.',
    fix: 'Do what the message says. `weir filter pull REF -o FILE` tries the same from a terminal; docs/registries.md tells how credentials and authorities are found.',
  },
  WEIR1301: {
    title: 'certificate or key cannot be used',
    source: 'config',
    explanation:
      'The PEM text is missing, cannot be read, or holds something else than a certificate chain or an unencrypted private key.',
    fix: 'Check the file or the Secret with `openssl x509 -noout -text` and `openssl pkey -noout`.',
  },
  WEIR1302: {
    title: 'the private key does not belong to the certificate',
    source: 'config',
    explanation: 'The public key in the first certificate of the chain is not the one of the private key.',
    fix: 'Pair the right files; the certificate of the server comes first in the chain.',
  },
  WEIR1303: {
    title: 'the private key file is readable by others',
    source: 'config',
    explanation: 'Every user of the machine could read the key and impersonate the host.',
    fix: 'chmod o= on the file (0600 or 0640).',
  },
  WEIR2001: {
    title: 'the same object is declared twice',
    source: 'config',
    explanation: 'Kind, namespace and name identify an object. Weir never lets the later file win.',
    fix: 'Remove or rename one of them.',
  },
  WEIR2002: {
    title: 'two listeners ask for the same traffic',
    source: 'config',
    explanation:
      'Listeners that share an address and port must have the same protocol and different hostnames.',
    fix: 'Change the port, the hostname or the address of one of them.',
  },
  WEIR2003: {
    title: 'two objects set the same field of the same target differently',
    source: 'config',
    explanation:
      'Merge rule 3: same kind, same target, same field, different value is an error on both objects, never "oldest wins". For FilterChains the order of the filters is the field in question.',
    fix: 'Keep one of them, or move one to an inner scope (a route or a rule).',
  },
  WEIR2004: {
    title: 'the field is enforced by an outer policy',
    source: 'config',
    explanation:
      'Merge rule 2: a field that an outer policy lists under `enforced` cannot be changed inside.',
    fix: 'Remove the field here, or ask the owner of the outer policy.',
  },
  WEIR2005: {
    title: 'placement names a filter that is not in the chain',
    source: 'config',
    explanation:
      'placement.before and placement.after name a filter of an outer chain that runs for the same requests.',
    fix: 'Correct the name, or remove the placement.',
  },
  WEIR2006: {
    title: 'listeners on one port disagree on their limits',
    source: 'config',
    explanation:
      'Limits and timeouts of the reader hold before it is known which listener a request belongs to, so listeners that share an address and port share them.',
    fix: 'Give the listeners the same values, for example with one ListenerPolicy on the Gateway.',
  },
  WEIR2007: {
    title: 'two routes ask for the connections of one listener',
    source: 'config',
    explanation:
      'A listener of protocol TCP, or of TLS that ends here, gives all its connections to one TCPRoute; nothing in them could choose between two. Where TLS passes through, each hostname belongs to one TLSRoute.',
    fix: 'Give one of them another listener or hostname, or join their backends with weights.',
  },
  WEIR2020: {
    title: 'a credential belongs to two Consumers',
    source: 'config',
    explanation:
      'A credential must lead to one Consumer of its namespace, or nobody could say who sent a request. The same key, user name, claim or certificate stands in two of them, or twice in one.',
    fix: 'Remove it from one of them. Consumers that share a credential are one Consumer.',
  },
  WEIR2021: {
    title: 'a plan is there twice',
    source: 'config',
    explanation:
      'A filter has a plan in `plans` of its configuration whose name is also that of a Plan which its `planLabel` selects. Nothing says which of the two counts.',
    fix: 'Remove one of them, or give one another name.',
  },
  WEIR2101: {
    title: 'backend not found',
    source: 'config',
    explanation:
      'A backendRef names a Service or Upstream that is not declared. Its share of the requests would answer 500.',
    fix: 'Declare it, or correct name, namespace or port.',
  },
  WEIR2102: {
    title: 'parent not found',
    source: 'config',
    explanation:
      'A parentRef names a Gateway, a listener or a port that is not declared, so the route would take no traffic.',
    fix: 'Correct name, namespace, sectionName or port.',
  },
  WEIR2103: {
    title: 'target not found',
    source: 'config',
    explanation:
      'A targetRef names an object, a listener or a rule that is not declared, so the policy would hold nowhere.',
    fix: 'Correct kind, name or sectionName. Policies attach within their own namespace.',
  },
  WEIR2104: {
    title: 'the reference crosses namespaces without permission',
    source: 'config',
    explanation:
      'An object of another namespace may only be used if a ReferenceGrant in that namespace allows it.',
    fix: 'Add a ReferenceGrant in the namespace of the object that is referred to.',
  },
  WEIR2105: {
    title: 'module not found',
    source: 'config',
    explanation:
      '`use: module/<name>` names a Module that is not declared in the namespace of the FilterChain.',
    fix: 'Declare the Module, or correct the name.',
  },
  WEIR2106: {
    title: 'filter chain not found',
    source: 'config',
    explanation: 'An ExtensionRef names a FilterChain that is not declared in the namespace of the route.',
    fix: 'Declare the FilterChain, or correct the name.',
  },
  WEIR2108: {
    title: 'certificate not found',
    source: 'config',
    explanation:
      'A reference names a Secret, Certificate or ConfigMap that is not declared, or a key that is not in it.',
    fix: 'Declare it, or correct name or namespace.',
  },
  WEIR2109: {
    title: 'the route attaches to no listener',
    source: 'config',
    explanation:
      'The Gateway exists, but none of the listeners that the parentRef selects takes the route: allowedRoutes excludes its namespace or kind, or the hostnames do not overlap.',
    fix: 'Change allowedRoutes or the hostname of the listener, or the hostnames of the route.',
  },
  WEIR2110: {
    title: 'the reference names a kind that cannot be used here',
    source: 'config',
    explanation:
      'Backends are Services (group "") or Upstreams (group policy.weir); certificates are Secrets or Certificates; ExtensionRef filters are FilterChains.',
    fix: 'Correct group and kind.',
  },
  WEIR2111: {
    title: 'gateway class not found',
    source: 'config',
    explanation:
      'A Gateway names the class whose controller serves it. Weir serves the class "weir" and every GatewayClass that the configuration declares.',
    fix: 'Leave gatewayClassName out, write weir, or declare the GatewayClass.',
  },
  WEIR2112: {
    title: 'key not found',
    source: 'config',
    explanation: '`signedBy` names a TrustedKey that is not declared in the namespace of the Module.',
    fix: 'Declare the TrustedKey, or correct the name.',
  },
  WEIR2113: {
    title: 'a Secret is not found',
    source: 'config',
    explanation:
      "`pullSecret` of a Module, `secretRef` of a Consumer or of a filter's configuration, or `passwordRef` of a Store names a Secret that is not declared in its namespace.",
    fix: 'Declare it, or correct the name.',
  },
  WEIR2114: {
    title: 'the Secret holds no credentials for a registry',
    source: 'config',
    explanation:
      'A Secret under `pullSecret` has `.dockerconfigjson`, as `docker login` writes it, or `username` and `password`.',
    fix: 'Add what is missing: kubectl create secret docker-registry NAME --dry-run=client -o yaml writes such a Secret.',
  },
  WEIR2115: {
    title: 'the Secret has no such value',
    source: 'config',
    explanation:
      "`secretRef` of a Consumer or of a filter's configuration, or `passwordRef` of a Store names a value that the Secret does not have, or that is empty.",
    fix: 'Correct the key, or add the value to `data` or `stringData` of the Secret.',
  },
  WEIR2117: {
    title: 'a Store is not found',
    source: 'config',
    explanation:
      '`store` of a filter or of a RateLimitService names a Store that is not declared in its namespace, or a filter with `scope: cluster` names none.',
    fix: 'Declare the Store, or correct the name.',
  },
  WEIR2118: {
    title: 'a plan is not found',
    source: 'config',
    explanation:
      '`plan` of a Consumer names a Plan that its namespace does not have, `plan` or `withoutPlan` of a filter names a plan that is neither in its `plans` nor a Plan that its `planLabel` selects, or `planLabel` selects no Plan with something for the filter. The requests concerned would all be refused. The plan of a Consumer is checked where its namespace has at least one Plan; without any it is a text that filters read.',
    fix: 'Declare the Plan, or correct the name or the label. `planLabel: {}` selects all of the namespace.',
  },
  WEIR3002: {
    title: 'the object has no effect',
    source: 'config',
    explanation: 'Nothing refers to the object, or it is attached to nothing, so it changes no request.',
    fix: 'Refer to it, attach it, or remove it.',
  },
  WEIR3004: {
    title: 'the match can never be reached',
    source: 'config',
    explanation: 'A match of higher precedence takes every request that this one could take.',
    fix: 'Remove it, or make the other one narrower.',
  },
  WEIR3006: {
    title: 'the Service has no endpoints',
    source: 'config',
    explanation:
      'No EndpointSlice gives the Service a ready address for that port, so its requests answer 503.',
    fix: 'Add an EndpointSlice with the label kubernetes.io/service-name, or use an Upstream.',
  },
  WEIR3008: {
    title: 'the certificate is outside its period of validity',
    source: 'config',
    explanation: 'Clients will refuse it.',
    fix: 'Renew the certificate, or correct the clock.',
  },
  WEIR3011: {
    title: 'filters run in a doubtful order',
    source: 'config',
    explanation:
      'Filters belong to phases: edge, authn, authz, limit, transform, route, upstream, log. An order that goes backwards usually means that a decision is taken before the facts for it are known.',
    fix: 'Reorder the filters, or ignore the warning if the order is meant.',
  },
  WEIR3012: {
    title: 'a PolicyTest names something that is not there',
    source: 'config',
    explanation:
      'Rules are named as `HTTPRoute/name#rule`, filters as `FilterChain/name#filter`, Upstreams by their name, all in the namespace of the test; `HTTPRoute/other/name#rule` is one of another namespace. Only what serves requests counts: a rule of a route that no listener takes is not there, nor is a filter that is off. The case fails; traffic is not concerned.',
    fix: 'Correct the name, or remove the expectation.',
  },
  WEIR3020: {
    title: 'a module pulled before is used',
    source: 'config',
    explanation:
      'The server could not be asked whether the module has changed, so the one that it gave before is used.',
    fix: 'Nothing, where the server comes back; it is asked again with the next reload. Name a digest, or pullPolicy: IfNotPresent, where it need not be asked.',
  },
  WEIR3021: {
    title: 'the module was not pulled',
    source: 'config',
    explanation:
      'The configuration was checked without the network, and the module was not pulled before. Everything else was checked.',
    fix: 'Check without --offline where the server can be reached.',
  },
  WEIR3022: {
    title: 'a pattern of a schema is not checked',
    source: 'config',
    explanation:
      'The schema that a module carries has a regular expression that cannot be matched in linear time, such as one with look-ahead. Weir leaves it out; the module checks its configuration itself when it starts.',
    fix: 'Nothing needs to be done. Who writes the module can put the pattern more simply.',
  },
  WEIR3023: {
    title: 'a module does not have what it says it needs',
    source: 'config',
    explanation:
      'The schema that the module carries names the capabilities that it uses (`x-weir-capabilities`), and the Module does not grant all of them. Calls that need the others will be refused. What a module says gives it nothing: only `capabilities` of the Module does.',
    fix: 'Grant what is missing, if the module should have it. capabilities.md says what each stands for.',
  },
  WEIR3030: {
    title: 'a filter knows no Consumer',
    source: 'config',
    explanation:
      '`consumerLabel` of the filter selects Consumers of its namespace by label, and none of them has a credential of the filter’s kind. The filter refuses every request.',
    fix: 'Correct the label, or declare a Consumer with it. `consumerLabel: {}` selects all of the namespace.',
  },
  WEIR3031: {
    title: 'a Plan holds nobody to anything',
    source: 'config',
    explanation:
      'No filter `quota` selects a Plan that has quotas, or no filter `rate-limit` one that has rateLimits, so that they are not counted; or no Consumer has the Plan and no filter names it.',
    fix: 'Select the Plan with `planLabel` of a filter, give it to a Consumer, or remove it.',
  },
  WEIR3032: {
    title: 'a rule asks who sends, and nothing finds it out',
    source: 'config',
    explanation:
      'A rule of an AccessPolicy asks for consumers or claims, which filters of the phase authn find out, and there is none in front of any place where the policy holds. `consumers` and `claims` match no request then, `notConsumers` matches every one.',
    fix: 'Put a filter such as `api-key`, `jwt` or `mtls` in front, in a FilterChain of the same Gateway, route or rule.',
  },
  WEIR3033: {
    title: 'a folder has no configuration in it',
    source: 'config',
    explanation:
      'A folder that weir was given has no file that ends with .yaml or .yml, in no folder below it either. Hidden folders and node_modules are not looked into.',
    fix: 'Check the path. A file with another ending is read where it is named itself.',
  },
  WEIR3034: {
    title: 'a client can say who it is',
    source: 'config',
    explanation:
      'An upstream learns who sends a request by a field that a filter sets (`consumerHeader`, `claimsToHeaders`, `ownedHeaders`) and takes out of what comes from outside. A rule leads to the same upstream without that filter, so that the field comes through as the client wrote it, and the upstream may believe it.',
    fix: 'Put the filter in front of that rule too (`required: false` where nobody has to be known), or remove the field there with a `RequestHeaderModifier`.',
  },
  WEIR3035: {
    title: 'a rule names a consumer whom nothing finds',
    source: 'config',
    explanation:
      'A rule of an AccessPolicy names a consumer. All filters that find out who sends, where the policy holds, know everybody by name (`api-key`, `basic`, `hmac`, `mtls`), and none knows that one: no key, user or Consumer that they select is called so. `consumers` matches no request then, `notConsumers` every one.',
    fix: 'Correct the name, or declare the Consumer with the label that the filter selects.',
  },
  WEIR4001: {
    title: 'a module does not compile or breaks the rules of the host',
    source: 'filter',
    explanation:
      'The bytes are no valid module, import something that the Proxy-Wasm ABI does not have, or are larger than the limits allow.',
    fix: 'Build the module with the SDK, and for the ABI version that it declares.',
  },
  WEIR4002: {
    title: 'a filter refused to start',
    source: 'filter',
    explanation:
      'The module trapped while it started, or returned false from proxy_on_vm_start or proxy_on_configure: it does not accept its configuration. A filter that says which part of it is wrong, as those of the SDK do, is told at that part.',
    fix: 'The message, or the log lines of the filter beside it, say what is wrong; correct its configuration. weir check finds it before it is served.',
  },
  WEIR4003: {
    title: 'an address cannot be bound',
    source: 'config',
    explanation:
      'Another process has the port, the address is not one of this machine, or the port needs a privilege.',
    fix: 'Free the port, or change address or port of the listener.',
  },
  WEIR4004: {
    title: 'a filter does not come to an end while it starts',
    source: 'filter',
    explanation:
      'Compiling the module, or its start and the reading of its configuration, took longer than weir waits. It was tried apart from traffic and stopped there.',
    fix: 'Look for an endless loop in proxy_on_vm_start and proxy_on_configure; move long work to ticks.',
  },
  WEIR4005: {
    title: 'the workers could not take the configuration',
    source: 'internal',
    explanation:
      'The configuration is sound by itself, but a worker, or the part of weir that reads it, broke down or did not answer.',
    fix: 'Read the log lines beside this error. If they do not tell, it is a fault of weir: report it.',
  },
  WEIR4006: {
    title: 'the configuration was rolled back',
    source: 'internal',
    explanation:
      'Workers exited five times within a minute under it, so the snapshot before it serves again. The same configuration is not tried again by itself; SIGHUP tries it.',
    fix: 'Read the log lines of the workers that exited; a filter that uses up the memory is a common cause.',
  },
  WEIR4007: {
    title: 'a module was rolled back',
    source: 'filter',
    explanation:
      'Filters of the module trapped five times within a minute in one worker, so the digest that the Module had before serves again. All else of the configuration is in force. The digest that failed is not tried again until the configuration brings another one; SIGHUP tries it.',
    fix: 'Read the reason in the message and the log lines of the filter, mend the module, and give it to weir under its new digest.',
  },
  WEIR4008: {
    title: 'a PolicyTest failed that has to pass',
    source: 'config',
    explanation:
      'weir run was started with --require-tests: a configuration comes in force when all cases of its PolicyTests pass, and there must be one at least. They run in a thread beside the traffic, with the modules of the configuration. What served goes on serving.',
    fix: 'Run weir test with the same files: it tells what each case expected and what came. Mend the configuration or the case.',
  },
  WEIR4009: {
    title: 'the configuration would close every listener',
    source: 'config',
    explanation:
      'Files of a running weir changed so that no listener is left. Nearly always a file is half written or empty, or a folder is being replaced, so what served goes on serving.',
    fix: 'Write the files whole: under another name, then rename. To stop serving, end weir; to put the configuration in force all the same, send SIGHUP.',
  },
} as const satisfies Record<`WEIR${number}`, ErrorEntry>;

export type ErrorCode = keyof typeof ERRORS;

/** Whether a text, such as an argument of `weir explain`, is a code of the table. */
export function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(ERRORS, text);
}

/** The page that `weir explain WEIRnnnn` prints, or null where there is no such code. */
export function explainError(code: string): string | null {
  const name = code.toUpperCase();
  if (!isErrorCode(name)) return null;
  const { title, explanation, fix } = ERRORS[name];
  return `${name}  ${title}\n\n${explanation}\n\nWhat to do: ${fix}\n`;
}
