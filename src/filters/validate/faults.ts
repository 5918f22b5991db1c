import { Action, Bytes, ByteWriter, Reply } from '@weir/filters-sdk/assembly';
import { JsonRefusal } from '@weir/filters-sdk/assembly/json-scan';
import { addJsonString } from '@weir/filters-sdk/assembly/json-text';

const NAMES = ['', 'syntax', 'duplicateKey', 'maxDepth', 'maxKeys', 'maxStringBytes'];
const body = new ByteWriter(1024);
const pointer = new ByteWriter(128);

/** 400 with a list of what is wrong: RFC 9457, with `errors` as its section 3 shows an extension. */
class Faults {
  private reply: Reply;

  constructor(
    private detail: string,
    details: string,
  ) {
    this.reply = Reply.problem(400, 'Bad Request', '', details);
  }

  /** @param list JSON text of the faults */
  send(list: Bytes): Action {
    body
      .clear()
      .add('{"type":"about:blank","title":"Bad Request","status":400,"detail":"')
      .add(this.detail)
      .add('","errors":')
      .add(list)
      .add('}\n');
    this.reply.body = body.copy();
    return this.reply.send();
  }
}

export const badBody = new Faults('the body is not as the API asks', 'validate_body');
export const badParameters = new Faults('the parameters are not as the API asks', 'validate_parameters');

const list = new ByteWriter(128);

/** A list of one fault. */
export function faultAt(place: string, name: Bytes | null, rule: string): Bytes {
  pointer.clear().add(place);
  if (name !== null) {
    pointer.addByte(47);
    for (let i = 0; i < min(name.length, 200); i++) {
      const byte = name.at(i);
      if (byte == 126) pointer.add('~0');
      else if (byte == 47) pointer.add('~1');
      // Half of a character would not be UTF-8.
      else pointer.addByte(byte > 127 ? 63 : byte);
    }
  }
  list.clear().add('[{"pointer":');
  addJsonString(list, pointer.view());
  return list.add(',"rule":"').add(rule).add('"}]').view();
}

/** What a scan says, as a list. */
export function refusalOf(refusal: JsonRefusal): Bytes {
  return faultAt('', null, NAMES[refusal]);
}
