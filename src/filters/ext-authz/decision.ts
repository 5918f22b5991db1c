import { Change } from './changes';

export enum Outcome {
  Allowed,
  Denied,
  /** There is no decision: the service failed, or said so. */
  Failed,
}

const NOTHING = new ArrayBuffer(0);

/** What a service says of a request. */
export class Decision {
  outcome: Outcome = Outcome.Failed;
  /** Of an answer in the service's words; 0: the filter's own. */
  status: i32 = 0;
  body: ArrayBuffer = NOTHING;
  /** Of the request that goes on, or of the answer that refuses it. */
  changes: Change[] = [];
  /** Of the answer to a request that goes on. */
  answerChanges: Change[] = [];
  removed: ArrayBuffer[] = [];
  /** Names and values of query parameters, one behind the other. */
  querySet: ArrayBuffer[] = [];
  queryRemoved: ArrayBuffer[] = [];
  /** Names and values of metadata, one behind the other. */
  metadata: ArrayBuffer[] = [];
}
