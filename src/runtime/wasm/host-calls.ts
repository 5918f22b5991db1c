import { Status } from './abi.ts';
import { bufferCalls } from './buffer-calls.ts';
import { calloutCalls } from './callout-calls.ts';
import { foreignCalls } from './foreign.ts';
import { grpcCalls } from './grpc-calls.ts';
import { headerCalls } from './header-calls.ts';
import { lifecycleCalls } from './lifecycle-calls.ts';
import { logCalls } from './log-calls.ts';
import { metricCalls } from './metric-calls.ts';
import type { ImportLink } from './module.ts';
import { propertyCalls } from './property-calls.ts';
import { sharedCalls } from './shared-calls.ts';
import { streamCalls } from './stream-calls.ts';
import { HostGroup } from './usage.ts';
import type { Vm } from './vm.ts';
import { wasiCalls } from './wasi.ts';

/**
 * Host functions by name. Each checks every pointer against the memory as it is, acts, and answers a
 * status, in that order; nothing that a guest passes makes one throw, but what `Vm.fail` is for.
 */
export type HostCalls = Record<string, (...values: never[]) => number | bigint | void>;

const ENOSYS = 52;
/** Maps and buffers up to this one are those of a message. */
const LAST_OF_MESSAGE = 3;

/** The import object of one instance. */
export function linkImports(vm: Vm): WebAssembly.Imports {
  const env: HostCalls = {
    ...logCalls(vm),
    ...lifecycleCalls(vm),
    ...bufferCalls(vm),
    ...headerCalls(vm),
    ...streamCalls(vm),
    ...calloutCalls(vm),
    ...grpcCalls(vm),
    ...sharedCalls(vm),
    ...metricCalls(vm),
    ...propertyCalls(vm),
    ...foreignCalls(vm),
  };
  const wasi = wasiCalls(vm);
  const imports: Record<string, Record<string, WebAssembly.ImportValue>> = {};
  for (const link of vm.group.module.links) {
    const calls = link.row?.module === 'wasi' ? wasi : env;
    const call = link.row === null ? stub(vm, link) : granted(vm, link, calls[link.name]!);
    (imports[link.module] ??= {})[link.name] = call as WebAssembly.ImportValue;
  }
  return imports;
}

type HostCall = HostCalls[string];
type MessageCall = (which: number, b: number, c: number, d: number, e: number) => number;

/** The call, or what stands in its place where a capability is missing: Envoy's answer to a restricted call. */
function granted(vm: Vm, link: ImportLink, call: HostCall): HostCall {
  const need = vm.plugin.grants.missing(link.name);
  if (need === null) return call;
  const { results } = link.signature;
  const value = results.startsWith('I') ? BigInt(Status.InternalFailure) : Status.InternalFailure;
  const refuse = (): number | bigint => {
    vm.count(HostGroup.Denied);
    vm.plugin.warnOnce(
      `it called ${link.name} without the capability "${need.capability}": answered InternalFailure`,
    );
    return value;
  };
  if (!need.ofMessage) return refuse;
  const allowed = call as MessageCall;
  return (which: number, b: number, c: number, d: number, e: number) =>
    which >>> 0 <= LAST_OF_MESSAGE ? (refuse() as number) : allowed(which, b, c, d, e);
}

/** Says that there is no such function here: Unimplemented, or ENOSYS, in the type that the module declared. */
function stub(vm: Vm, link: ImportLink): HostCalls[string] {
  const code = link.module.startsWith('wasi') ? ENOSYS : Status.Unimplemented;
  const value = link.signature.results.startsWith('I') ? BigInt(code) : code;
  return () => {
    vm.plugin.warnOnce(
      `it called ${link.module}.${link.name}, which this host does not have: answered Unimplemented`,
    );
    return value;
  };
}
