import { Reply } from '@weir/filters-sdk/assembly';

/** What is answered in the place of a body that cannot be edited: the client's fault in a request, the upstream's in an answer. */
export class Refusals {
  readonly invalid: Reply;
  readonly encoded: Reply;
  readonly large: Reply;
  readonly differs: Reply;
  readonly failed: Reply;

  /** @param testStatus where a `test` of the patch found another value */
  constructor(isAnswer: bool, testStatus: i32) {
    this.invalid = problem(isAnswer ? 502 : 400, 'the body is not what can be edited', 'transform_invalid');
    this.encoded = problem(isAnswer ? 502 : 415, 'the body is compressed, or a part', 'transform_encoded');
    this.large = problem(isAnswer ? 502 : 413, 'the body is too large to be edited', 'transform_too_large');
    this.differs = problem(testStatus, 'the body is not as expected', 'transform_test');
    this.failed = problem(isAnswer ? 502 : 422, 'the body has not what is to be edited', 'transform_patch');
  }
}

function problem(status: i32, detail: string, details: string): Reply {
  return Reply.problem(status, titleOf(status), detail, details);
}

function titleOf(status: i32): string {
  if (status == 400) return 'Bad Request';
  if (status == 403) return 'Forbidden';
  if (status == 409) return 'Conflict';
  if (status == 413) return 'Content Too Large';
  if (status == 415) return 'Unsupported Media Type';
  if (status == 422) return 'Unprocessable Content';
  if (status == 502) return 'Bad Gateway';
  return status < 500 ? 'Refused' : 'Failed';
}
