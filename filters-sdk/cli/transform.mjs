// A step of the AssemblyScript compiler (`--transform @weir/filters-sdk/transform`): takes out the exports
// of those callbacks that no class of the filter overrides. The host makes no callback that a module does
// not export, so what a filter leaves out costs a stream nothing: no body passes through a filter that
// looks at headers only. Without this step a filter works as well, and is slower and larger.

/** Methods of RootContext and StreamContext, to the callback that reaches them. */
const CALLBACKS = {
  onStart: 'proxy_on_vm_start',
  onConfigure: 'proxy_on_configure',
  onTick: 'proxy_on_tick',
  onQueueReady: 'proxy_on_queue_ready',
  onCallResponse: 'proxy_on_http_call_response',
  onLimitDecision: 'proxy_on_foreign_function',
  onQuotaDecision: 'proxy_on_foreign_function',
  onPasswordVerified: 'proxy_on_foreign_function',
  onGrpcHead: 'proxy_on_grpc_receive_initial_metadata',
  onGrpcMessage: 'proxy_on_grpc_receive',
  onGrpcTrailers: 'proxy_on_grpc_receive_trailing_metadata',
  onGrpcEnd: 'proxy_on_grpc_close',
  onRequestHeaders: 'proxy_on_request_headers',
  onRequestBody: 'proxy_on_request_body',
  onRequestTrailers: 'proxy_on_request_trailers',
  onResponseHeaders: 'proxy_on_response_headers',
  onResponseBody: 'proxy_on_response_body',
  onResponseTrailers: 'proxy_on_response_trailers',
  onNewConnection: 'proxy_on_new_connection',
  onDownstreamData: 'proxy_on_downstream_data',
  onUpstreamData: 'proxy_on_upstream_data',
  onDownstreamClose: 'proxy_on_downstream_connection_close',
  onUpstreamClose: 'proxy_on_upstream_connection_close',
  onExplain: 'weir_on_explain',
  onDone: 'proxy_on_done',
  onLog: 'proxy_on_log',
};
/** Functions of the SDK that need a callback, whether or not a filter overrides it. */
const NEEDED_BY = {
  'answers/expectHttp': ['proxy_on_http_call_response'],
  'answers/expectGrpc': ['proxy_on_grpc_receive', 'proxy_on_grpc_close'],
  'answers/expectLimit': ['proxy_on_foreign_function'],
  'ticks/addSleep': ['proxy_on_tick'],
};
/** Frees the memory of writers. Where there are none, the collector need not ask. */
const FINALIZE = '~lib/@weir/filters-sdk/assembly/writer/finalize';
const WRITER = '~lib/@weir/filters-sdk/assembly/writer/ByteWriter#constructor';
const SDK = /(^|\/)@?weir\/filters-sdk\/assembly\//;
const ABI = 'proxy_abi_version_0_2_1';

export default class TrimCallbacks {
  /** Looks at names alone: a method of that name in any class outside of the SDK keeps its callback. */
  afterParse(parser) {
    this.overridden = new Set();
    for (const source of parser.sources) {
      if (!SDK.test(source.internalPath)) this.collect(source.statements);
    }
  }

  collect(statements) {
    for (const { members } of statements) {
      if (!Array.isArray(members)) continue;
      for (const member of members) if (member.name?.text in CALLBACKS) this.overridden.add(member.name.text);
      // A namespace has members too, and they may be classes.
      this.collect(members);
    }
  }

  afterCompile(module) {
    const exported = new Set();
    for (let i = 0; i < module.getNumExports(); i++) {
      exported.add(this.binaryen.getExportInfo(module.getExportByIndex(i)).name);
    }
    if (!exported.has(ABI)) {
      const error = new Error('the entry file does not hand on the callbacks of the SDK');
      error.hint = "add to it: export * from '@weir/filters-sdk/assembly/exports';";
      // A stack of the compiler tells an author nothing.
      error.stack = error.message;
      throw error;
    }
    const finalize = module.getFunction(FINALIZE);
    if (finalize !== 0 && module.getFunction(WRITER) === 0)
      this.binaryen.Function.setBody(finalize, module.nop());
    const needed = new Set(
      Object.entries(NEEDED_BY).flatMap(([name, callbacks]) =>
        module.getFunction(`~lib/@weir/filters-sdk/assembly/${name}`) === 0 ? [] : callbacks,
      ),
    );
    for (const [method, callback] of Object.entries(CALLBACKS))
      if (this.overridden.has(method)) needed.add(callback);
    for (const callback of new Set(Object.values(CALLBACKS)))
      if (exported.has(callback) && !needed.has(callback)) module.removeExport(callback);
  }
}
