// Adds a greeting to every answer. Save a change while the demo runs: it is compiled, checked and swapped in.
export * from '@weir/filters-sdk/assembly/exports';
import {
  Action,
  registerRoot,
  responseHeaders,
  RootContext,
  StreamContext,
  utf8,
} from '@weir/filters-sdk/assembly';
import { readConfig } from '@weir/filters-sdk/assembly/config';

const NAME = utf8('x-greeting');

/** One for each configuration: `config: {greeting: …}` in a FilterChain. */
class GreetingRoot extends RootContext {
  private stream: Greeting = new Greeting(utf8('hello'));

  onConfigure(configuration: ArrayBuffer): bool {
    const config = readConfig(configuration);
    this.stream = new Greeting(config.text('greeting', utf8('hello')));
    return config.end();
  }

  /** One object serves all requests, since it keeps nothing of them. */
  createStream(): StreamContext {
    return this.stream;
  }
}

class Greeting extends StreamContext {
  constructor(private greeting: ArrayBuffer) {
    super();
  }

  onResponseHeaders(_count: i32, _endOfStream: bool): Action {
    responseHeaders.set(NAME, this.greeting);
    return Action.Continue;
  }
}

registerRoot(new GreetingRoot());
