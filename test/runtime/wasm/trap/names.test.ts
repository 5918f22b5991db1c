import { expect, test } from 'vitest';
import { readableName } from '../../../../src/runtime/wasm/trap/names.ts';

test.each([
  ['divide', 'divide'],
  ['index/check', 'index/check'],
  ['rust.wasm._ZN4risk4pick17h0ceb6a95695cdb01E', 'risk::pick'],
  ['_ZN4core9panicking5panic17h0123456789abcdefE', 'core::panicking::panic'],
  [
    '_ZN60_$LT$alloc..string..String$u20$as$u20$core..fmt..Display$GT$3fmt17h0123456789abcdefE',
    '<alloc::string::String as core::fmt::Display>::fmt',
  ],
  ['_ZN3foo3barEv', 'foo::bar'],
  ['_ZN99broken', '_ZN99broken'],
  ['rust.wasm._RNvCsfLfy6EI15iL_7___rustc12___rust_abort', '__rustc::__rust_abort'],
  ['_RNvNtCs1234_7mycrate3foo3bar', 'mycrate::foo::bar'],
  ['_RINvCs1234_7mycrate3fooEB2_', '_RINvCs1234_7mycrate3fooEB2_'],
  ['main.main', 'main.main'],
])('%s reads as %s', (name, readable) => {
  expect(readableName(name)).toBe(readable);
});
