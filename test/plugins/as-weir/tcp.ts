import {
  Action,
  CallResponse,
  CloseType,
  PairsWriter,
  StreamContext,
  closeConnection,
  downstreamData,
  httpCall,
  logInfo,
  property,
  resumeDownstream,
  resumeUpstream,
  upstreamData,
} from '@weir/filters-sdk/assembly';
import { LANGUAGE } from './headers';

export class Tcp extends StreamContext {
  onNewConnection(): Action {
    const source = property('source.address')!;
    logInfo('tcp from ' + source.slice(0, source.indexOf(58)).toString());
    return Action.Continue;
  }

  onDownstreamData(size: i32, endOfStream: bool): Action {
    if (size == 0) return Action.Continue;
    if (downstreamData.read().equals('deny')) {
      closeConnection();
      return Action.Pause;
    }
    downstreamData.prepend(LANGUAGE + ':');
    return Action.Continue;
  }

  onUpstreamData(size: i32, endOfStream: bool): Action {
    if (size > 0) upstreamData.append('!');
    return Action.Continue;
  }

  onDownstreamClose(by: CloseType): void {
    logInfo('tcp closed');
  }

  onLog(): void {
    logInfo('tcp done');
  }
}

/** Asks about a connection, about each line that comes, and about an answer with `slow` in it. */
export class HeldTcp extends StreamContext {
  private asked: u32 = 0;
  private answering: bool = false;
  private admitted: i32 = 0;

  onNewConnection(): Action {
    this.asked = ask('/connection');
    return Action.Pause;
  }

  onDownstreamData(size: i32, endOfStream: bool): Action {
    const data = downstreamData.read();
    if (size == 0 || this.admitted == data.length) return Action.Continue;
    if (data.indexOf(10) < 0) return Action.Pause;
    this.asked = ask('/line');
    return Action.Pause;
  }

  onUpstreamData(size: i32, endOfStream: bool): Action {
    if (upstreamData.read().indexOfBytes('slow') < 0) return Action.Continue;
    this.answering = true;
    this.asked = ask('/answer');
    return Action.Pause;
  }

  onCallResponse(response: CallResponse): void {
    if (response.token != this.asked || response.status != 200) return closeConnection();
    if (this.answering) {
      upstreamData.splice(0, 1, '{');
      return resumeUpstream();
    }
    this.admitted = downstreamData.read().length;
    resumeDownstream();
  }

  onUpstreamClose(by: CloseType): void {
    logInfo('tcp upstream closed by ' + by.toString());
  }

  onDownstreamClose(by: CloseType): void {
    logInfo('tcp closed');
  }

  onLog(): void {
    logInfo('tcp done');
  }
}

function ask(path: string): u32 {
  const head = new PairsWriter().add(':method', 'GET').add(':path', path).add(':authority', 'authz');
  return httpCall('authz', head, '', 500);
}
