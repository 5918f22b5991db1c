// A step of the AssemblyScript compiler for filters whose callbacks wait (`@weir/filters-sdk/assembly/wait`): lets
// WebAssembly take a callback off its stack and put it back, by Binaryen's Asyncify. It works on those functions
// alone from which `wait` can be reached, before the compiler optimizes, and never where no source imports `wait`.
import { DiagnosticCode, NodeKind } from 'assemblyscript';

const SDK = '~lib/@weir/filters-sdk/assembly';
const PAUSE = `${SDK}/flow/pauseFlow`;
/** An import that the pass puts an end to. */
const INTRINSIC = `${SDK}/asyncify/start_unwind`;
/** What the pass exports for a host that does the work of `flow.ts`. */
const EXPORTS = ['start_unwind', 'stop_unwind', 'start_rewind', 'stop_rewind', 'get_state'];
/** Methods of contexts that the host wants an answer of at once, or that have nothing to hold meanwhile. */
const AT_ONCE = new Set(
  `onStart onConfigure createStream onQueueReady onDownstreamClose onUpstreamClose onCallResponse onGrpcHead
   onGrpcMessage onGrpcTrailers onGrpcEnd onLimitDecision onQuotaDecision onPasswordVerified onDone onLog onDelete recycle`.split(
    /\s+/,
  ),
);

export default class Waits {
  afterParse({ sources }) {
    const named = (path) => sources.find(({ internalPath }) => internalPath === path);
    this.used = named(`${SDK}/wait`) !== undefined;
    if (!this.used) return;
    for (const { declarations } of named(`${SDK}/waits`).statements)
      if (declarations?.[0].name.text === 'WAITS') declarations[0].initializer.kind = NodeKind.True;
  }

  afterCompile(module) {
    // Not twice: a project's `asconfig.json` may have the step as well.
    if (!this.used || module.getFunction(INTRINSIC) === 0) return;
    this.refuseWhereNothingWaits(callsOf(module.emitText()));
    // No host call waits. What calls through a variable may: it is not known what that calls.
    this.binaryen.setPassArgument('asyncify-ignore-imports', 'true');
    module.runPasses(['asyncify']);
    this.binaryen.clearPassArguments();
    for (const name of EXPORTS) module.removeExport(`asyncify_${name}`);
  }

  /** At run time such a wait would end the instance. */
  refuseWhereNothingWaits(calls) {
    for (const name of calls.keys()) {
      const method = name.slice(name.lastIndexOf('#') + 1);
      if (!AT_ONCE.has(method) || name.startsWith('~lib/')) continue;
      const way = wayTo(PAUSE, name, calls);
      if (way === null) continue;
      const between = way.slice(1, -2).map((step) => step.replace(/<.*/, '').replace(/^.*[/#]/, ''));
      const by = between.length === 0 ? '' : `, by way of ${between.join(', ')}`;
      const range = this.program.instancesByName.get(name)?.declaration.name.range ?? null;
      this.program.error(DiagnosticCode.User_defined_0, range, `'${method}' cannot wait, and does${by}`);
    }
  }
}

/** Which functions a function calls, by their names, of a module as text. */
function callsOf(text) {
  const calls = new Map();
  let callees = new Set();
  for (const [, kind, name] of text.matchAll(/\((func|call) \$([^\s()]+)/g)) {
    if (kind === 'call') callees.add(name);
    else calls.set(name, (callees = new Set()));
  }
  return calls;
}

/** The shortest way of calls from one function to another, or null. */
function wayTo(target, from, calls) {
  const before = new Map([[from, null]]);
  for (const name of before.keys()) {
    if (name === target) {
      const way = [];
      for (let step = name; step !== null; step = before.get(step)) way.unshift(step);
      return way;
    }
    for (const callee of calls.get(name) ?? []) if (!before.has(callee)) before.set(callee, name);
  }
  return null;
}
