import { Config, JsonValue, faultAt, readConfig } from '@weir/filters-sdk/assembly/config';
import { RequestRule } from './request-rule';
import { ResponseRule } from './response-rule';

/** As many as a set of bits has room for. */
const MOST = 64;

/** Rules for both directions; the first that fits a message is the one that counts. */
export class TransformConfig {
  readonly requests: RequestRule[] = [];
  readonly responses: ResponseRule[] = [];

  read(configuration: ArrayBuffer): bool {
    const config = readConfig(configuration);
    const requests = rulesOf(config, 'request');
    for (let i = 0; i < requests.length; i++) {
      const rule = Config.of(requests[i]);
      this.requests.push(new RequestRule(configuration, rule));
      rule.end();
    }
    const responses = rulesOf(config, 'response');
    for (let i = 0; i < responses.length; i++) {
      const rule = Config.of(responses[i]);
      this.responses.push(new ResponseRule(configuration, rule));
      rule.end();
    }
    return config.end();
  }
}

function rulesOf(config: Config, name: string): JsonValue[] {
  const rules = config.items(name);
  if (rules.length > MOST) faultAt(rules[MOST], 'at most 64 rules');
  return rules;
}
