import { ExternKind, type ModuleShape } from './binary.ts';

/** A kind of file or module that people take for a filter: what it is, and what to do instead. */
interface Misbuild {
  readonly is: string;
  readonly instead: string;
}

interface MisbuiltFile extends Misbuild {
  readonly begins: Uint8Array;
}

interface MisbuiltModule extends Misbuild {
  found(shape: ModuleShape): boolean;
}

const text = (value: string): Uint8Array => Buffer.from(value, 'latin1');

const FILES: readonly MisbuiltFile[] = [
  {
    begins: text('\0asm\x0d\0\x01\0'),
    is: 'a WebAssembly component',
    instead:
      'a filter is a core module: build Rust for wasm32-wasip1 and not wasm32-wasip2, TinyGo for wasip1, and leave out `wasm-tools component new`',
  },
  {
    begins: text('(module'),
    is: 'WebAssembly in its text form',
    instead: 'translate it with `wat2wasm` or `wasm-tools parse`',
  },
  {
    begins: text('\x1f\x8b'),
    is: 'a gzip archive',
    instead: 'unpack it: an OCI layer holds plugin.wasm',
  },
  {
    begins: text('\x7fELF'),
    is: 'a program for this machine',
    instead:
      'compile for WebAssembly: --target wasm32-wasip1, GOOS=wasip1 GOARCH=wasm, clang --target=wasm32-wasi',
  },
  {
    begins: text('!<arch>\n'),
    is: 'a static library',
    instead: 'link it; in Rust crate-type = ["cdylib"] and not "staticlib"',
  },
  { begins: text('BC\xc0\xde'), is: 'LLVM bitcode', instead: 'link it: leave out -flto -c, or run wasm-ld' },
  {
    begins: text('version https://git-lfs'),
    is: 'a pointer of Git LFS',
    instead: 'fetch the file: git lfs pull',
  },
];

const imports = (shape: ModuleShape, module: RegExp, name = /./): boolean =>
  shape.imports.some((entry) => module.test(entry.module) && name.test(entry.name));

const hasCallbacks = (shape: ModuleShape): boolean =>
  [...shape.exports.keys()].some((name) => name.startsWith('proxy_on_'));

const functionsOf = (shape: ModuleShape): string[] =>
  [...shape.exports].filter(([, { kind }]) => kind === ExternKind.Function).map(([name]) => name);

/** Modules that need another host. They come first: what else is wrong with them follows from it. */
const FOR_OTHER_HOSTS: readonly MisbuiltModule[] = [
  {
    found: (shape) => imports(shape, /^(go|gojs)$/),
    is: 'Go code for JavaScript: it imports "gojs"',
    instead: 'build it with GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared; TinyGo: -target=wasip1',
  },
  {
    found: (shape) =>
      imports(shape, /^(wbg|__wbindgen_placeholder__|__wbindgen_externref_xform__|\.\/.*_bg\.js)$/),
    is: 'Rust code for JavaScript: it imports functions of wasm-bindgen',
    instead:
      'leave wasm-bindgen out (a dependency brings it in: `cargo tree -i wasm-bindgen`; often getrandom, chrono or uuid with the feature js) and build for wasm32-wasip1',
  },
  {
    found: (shape) =>
      imports(shape, /^a$/, /^[a-zA-Z]{1,2}$/) ||
      imports(shape, /^env$/, /^(_?emscripten_(asm_const|memcpy|resize_heap|run_script)|invoke_)/),
    is: 'a main module of emscripten, which needs the JavaScript that comes with it',
    instead: 'link it with em++ --no-entry -sSTANDALONE_WASM (and -sFILESYSTEM=0 -fno-exceptions)',
  },
  {
    found: ({ customs }) => customs.has('dylink') || customs.has('dylink.0'),
    is: 'a side module: code that another module loads',
    instead: 'link it by itself: em++ without -sSIDE_MODULE, clang without -shared -fPIC',
  },
  {
    found: (shape) => imports(shape, /^http_handler$/),
    is: 'a module of http-wasm',
    instead: 'use a Proxy-Wasm SDK: weir hosts no other interface',
  },
  {
    found: (shape) => imports(shape, /^(extism|extism:host\/.*|wapc|fastly_.*|spin|suborbital)$/),
    is: 'a module for another kind of host',
    instead: 'use a Proxy-Wasm SDK: weir hosts no other interface',
  },
  {
    found: (shape) => imports(shape, /^[a-z0-9-]+:[a-z0-9-]+\//),
    is: 'the core of a WebAssembly component: it imports WIT interfaces',
    instead: 'use a Proxy-Wasm SDK and build for wasm32-wasip1, without wit-bindgen',
  },
  {
    found: (shape) => shape.exports.has('opa_eval') || shape.exports.has('opa_wasm_abi_version'),
    is: 'a policy of OPA',
    instead: 'a filter would have to carry an OPA runtime and call it',
  },
];

/** Modules that are no filter because of how they were linked. */
const NOT_LINKED: readonly MisbuiltModule[] = [
  {
    found: ({ customs }) => customs.has('linking'),
    is: 'an object file',
    instead: 'link it: clang without -c, or wasm-ld',
  },
  {
    found: (shape) => hasCallbacks(shape),
    is: 'a module whose version is missing: its callbacks are exported',
    instead:
      'export the function proxy_abi_version_0_2_1: AssemblyScript `export * from` the SDK in the entry file; C++ without a version script or export list that leaves it out',
  },
  {
    found: (shape) => functionsOf(shape).length === 0,
    is: 'a module that exports no function at all',
    instead:
      'Rust: crate-type = ["cdylib"] and proxy_wasm::main!; C and C++: keep the SDK\'s objects whole (-Wl,--whole-archive) and export them; and check that no later tool strips exports',
  },
  {
    found: (shape) => shape.exports.has('_start') && !shape.exports.has('_initialize'),
    is: 'a program and no library: it exports _start alone',
    instead:
      'Rust: a library with crate-type = ["cdylib"]; Go and TinyGo: -buildmode=c-shared; C and C++: -mexec-model=reactor, emscripten --no-entry',
  },
];

const say = ({ is, instead }: Misbuild): string => `it is ${is}. What to do: ${instead}`;

/** What a file is that is no core module, as far as its first bytes tell; null where they tell nothing. */
export function misbuiltFile(bytes: Uint8Array): string | null {
  const found = FILES.find(({ begins }) => begins.every((byte, i) => bytes[i] === byte));
  return found === undefined ? null : say(found);
}

/** A module that could not run here whatever it exports; null where that is not known. */
export function forAnotherHost(shape: ModuleShape): string | null {
  const found = FOR_OTHER_HOSTS.find((each) => each.found(shape));
  return found === undefined ? null : say(found);
}

/** Why a module without a version has none; null where that is not known. */
export function notLinked(shape: ModuleShape): string | null {
  const found = NOT_LINKED.find((each) => each.found(shape));
  return found === undefined ? null : say(found);
}

/** What an author should know of a module that is loaded. */
export function doubtful(shape: ModuleShape): string[] {
  if (!shape.exports.has('asyncify_start_unwind')) return [];
  return [
    'it was built with a scheduler (asyncify): a goroutine that waits in a callback is not gone on with; build it with -scheduler=none, or with Go for wasip1',
  ];
}
