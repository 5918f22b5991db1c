import { LogLevel } from './abi';
import { out } from './arena';
import { Bytes, encode, sizeOf, startOf } from './bytes';
import { proxy_get_current_time_nanoseconds, proxy_get_log_level, proxy_log } from './env';

/** A line in the host's log. `message` is a string, a buffer or a view. */
export function log<T>(level: LogLevel, message: T): void {
  if (isString<T>()) return log<Bytes>(level, encode(changetype<string>(message)));
  proxy_log(level, startOf<T>(message), sizeOf<T>(message));
}

/** A line of the level `Debug`. */
export function logDebug<T>(message: T): void {
  log<T>(LogLevel.Debug, message);
}

/** A line of the level `Info`. */
export function logInfo<T>(message: T): void {
  log<T>(LogLevel.Info, message);
}

/** A line of the level `Warn`. */
export function logWarn<T>(message: T): void {
  log<T>(LogLevel.Warn, message);
}

/** A line of the level `Error`. */
export function logError<T>(message: T): void {
  log<T>(LogLevel.Error, message);
}

/** Whether the host writes lines of this level: ask before a line that is dear to make. */
export function logs(level: LogLevel): bool {
  return proxy_get_log_level(out) != 0 || load<i32>(out) <= <i32>level;
}

/** Nanoseconds since 1970. The host may round to a millisecond. */
export function now(): i64 {
  proxy_get_current_time_nanoseconds(out);
  return load<i64>(out);
}
