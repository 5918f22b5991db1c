/** Where rules look. Bits. */
export namespace Target {
  export const Args: i32 = 1;
  export const ArgNames: i32 = 2;
  export const Cookies: i32 = 4;
  export const Path: i32 = 8;
  export const UserAgent: i32 = 16;
  export const Referer: i32 = 32;
  /** All other fields that are not of `Protocol`. */
  export const Headers: i32 = 64;
  /** A body that is neither a form nor JSON. */
  export const Body: i32 = 128;
  export const FileNames: i32 = 256;
  /** Fields that browsers fill in: only what is wrong everywhere is looked for there. */
  export const Protocol: i32 = 512;
}

/** What clients have in their hands: where most attacks are. */
export const INPUT = Target.Args | Target.ArgNames | Target.Cookies | Target.Body;
export const EVERYWHERE =
  INPUT |
  Target.Path |
  Target.UserAgent |
  Target.Referer |
  Target.Headers |
  Target.FileNames |
  Target.Protocol;

export enum Severity {
  Notice = 2,
  Warning = 3,
  Error = 4,
  Critical = 5,
}

export class Rule {
  constructor(
    /** `class/name`. */
    public id: string,
    public severity: Severity,
    public paranoia: i32,
    public targets: i32,
    /** Empty: code decides, see `inspection.ts`. */
    public pattern: string,
    /** The value is looked at as a shell reads words. */
    public shell: bool = false,
  ) {}
}
