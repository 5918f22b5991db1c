// A file is named for the module that what it declares is imported from.
export declare function random_get(start: usize, size: i32): i32;
