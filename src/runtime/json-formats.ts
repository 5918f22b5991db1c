import { isIPv4, isIPv6 } from 'node:net';

const DATE = /^(\d{4})-(\d\d)-(\d\d)$/;
const TIME = /^(\d\d):(\d\d):(\d\d)(?:\.\d{1,12})?(?:[Zz]|[+-](\d\d):(\d\d))$/;
const UUID = /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/i;
const LABEL = /^[a-z\d](?:[a-z\d-]{0,61}[a-z\d])?$/i;
const LOCAL = /^[\w.!#$%&'*+/=?^`{|}~-]{1,64}$/;
const URI = /^[a-z][a-z\d+.-]*:[!#$%&'()*+,\-./:;=?@[\]_~a-z\d]*$/i;
const BASE64 = /^[A-Za-z\d+/]*={0,2}$/;
const INT64 = 2 ** 63;

/** RFC 3339, section 5.6. */
function isDate(text: string): boolean {
  const [, year, month, day] = DATE.exec(text) ?? [];
  if (day === undefined) return false;
  const last = new Date(Date.UTC(2000 + (Number(year) % 400), Number(month), 0)).getUTCDate();
  return Number(month) >= 1 && Number(month) <= 12 && Number(day) >= 1 && Number(day) <= last;
}

function isTime(text: string): boolean {
  const [, hour, minute, second, zoneHour = '0', zoneMinute = '0'] = TIME.exec(text) ?? [];
  if (second === undefined || Number(zoneHour) > 23 || Number(zoneMinute) > 59) return false;
  // A leap second ends a day in UTC; which days have one is not known here.
  return Number(hour) <= 23 && Number(minute) <= 59 && Number(second) <= (minute === '59' ? 60 : 59);
}

function isDateTime(text: string): boolean {
  return /^[Tt]$/.test(text.charAt(10)) && isDate(text.slice(0, 10)) && isTime(text.slice(11));
}

function isHostname(text: string): boolean {
  return text.length <= 253 && text.split('.').every((label) => LABEL.test(label));
}

function isEmail(text: string): boolean {
  const at = text.lastIndexOf('@');
  if (at < 0 || !isHostname(text.slice(at + 1))) return false;
  const local = text.slice(0, at);
  return LOCAL.test(local) && !local.startsWith('.') && !local.endsWith('.') && !local.includes('..');
}

/** RFC 6901. */
function isPointer(text: string): boolean {
  return (text === '' || text.startsWith('/')) && !/~(?![01])/.test(text);
}

const ofNumber = (validate: (value: number) => boolean) => ({ type: 'number' as const, validate });
const isFloat = (value: number): boolean => Number.isFinite(Math.fround(value));

/**
 * The values of `format` that are checked: of JSON Schema 2020-12 and of the OpenAPI format registry. Each looks at a text
 * in linear time. `true`: it says something to people alone.
 */
export const JSON_FORMATS = {
  date: isDate,
  time: isTime,
  'date-time': isDateTime,
  uuid: (text: string): boolean => UUID.test(text),
  email: isEmail,
  hostname: isHostname,
  ipv4: isIPv4,
  ipv6: (text: string): boolean => isIPv6(text) && !text.includes('%'),
  uri: (text: string): boolean => URI.test(text) && !/%(?![\da-f]{2})/i.test(text),
  'json-pointer': isPointer,
  byte: (text: string): boolean => text.length % 4 === 0 && BASE64.test(text),
  int32: ofNumber((value) => Number.isInteger(value) && value >= -(2 ** 31) && value < 2 ** 31),
  // Numbers of JSON are doubles here: what is just beyond the ends is taken for them.
  int64: ofNumber((value) => Number.isInteger(value) && value >= -INT64 && value <= INT64),
  float: ofNumber(isFloat),
  double: ofNumber(Number.isFinite),
  password: true,
  binary: true,
} as const;
