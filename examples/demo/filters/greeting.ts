// Adds a greeting to every answer. Save a change while the demo runs: it is compiled, checked and swapped in.
export * from '@weir/filters-sdk/assembly/exports';
import {
  Action,
  readConfig,
  registerRoot,
  responseHeaders,
  RootContext,
  StreamContext,
  utf8,
} from '@weir/filters-sdk/assembly';

const NAME = utf8('x-greeting');

/** One for each configuration: `config: {greeting: …}` in a FilterChain. */
class GreetingRoot extends RootContext {
  greeting: ArrayBuffer = new ArrayBuffer(0);

  onConfigure(configuration: ArrayBuffer): bool {
    const config = readConfig(configuration);
    this.greeting = config.text('greeting', utf8('hello'));
    return config.end();
  }

  createStream(): StreamContext {
    return new Greeting(this);
  }
}

/** One for each request and its answer. */
class Greeting extends StreamContext {
  constructor(private root: GreetingRoot) {
    super();
  }

  onResponseHeaders(_count: i32, _endOfStream: bool): Action {
    responseHeaders.set(NAME, this.root.greeting);
    return Action.Continue;
  }
}

registerRoot(new GreetingRoot());
