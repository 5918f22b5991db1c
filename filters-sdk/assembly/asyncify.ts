// What Binaryen's Asyncify offers to the module that it works on; no host has anything to do with it. Its rule: a
// function that calls `start_unwind` or `stop_rewind` is never taken apart itself, but its callers are; one that
// calls one of the other two is where that ends. The file's name is the import's, as with `env`.

export declare function start_unwind(control: usize): void;
export declare function stop_rewind(): void;
export declare function stop_unwind(): void;
export declare function start_rewind(control: usize): void;
