// What the SDK lacks or has wrong: its log writes to standard output, its get_metric records, its foreign
// functions take text and hide the status, and it cannot close a stream. The file is named env because AssemblyScript takes the import
// module's name from the file that declares a function.

export declare function proxy_log(level: i32, text: usize, size: i32): i32;
export declare function proxy_close_stream(stream: i32): i32;
export declare function proxy_get_metric(metric: u32, out: usize): i32;
export declare function proxy_call_foreign_function(
  name: usize,
  nameSize: i32,
  args: usize,
  argsSize: i32,
  out: usize,
  outSize: usize,
): i32;
