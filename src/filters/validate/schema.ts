import { Bytes, ByteWriter } from '@weir/filters-sdk/assembly';
import { callForeign, foreignUnknown } from '@weir/filters-sdk/assembly/foreign';

export enum SchemaState {
  Ready,
  Wrong,
  /** The host has no such function. */
  Missing,
}

const request = new ByteWriter(4096);

/** A schema of the filter's own configuration, which the host holds documents against. */
export class Schema {
  private token: u32 = 0;

  /**
   * @param pointer of the schema in the configuration
   * @param fragment pointer of the part of it that is meant
   */
  open(pointer: string, fragment: string): SchemaState {
    const answer = callForeign('weir.json_schema', pointer + '\0' + fragment);
    if (answer === null) return foreignUnknown() ? SchemaState.Missing : SchemaState.Wrong;
    this.token = load<u32>(answer.start);
    return SchemaState.Ready;
  }

  /** @returns JSON text of what is wrong; empty: nothing is. Null: it is no JSON, or the host cannot say. */
  check(document: Bytes, faults: i32): Bytes | null {
    return callForeign<Bytes>(
      'weir.validate_json',
      request.clear().addU32(this.token).addU32(faults).add(document).view(),
    );
  }
}
