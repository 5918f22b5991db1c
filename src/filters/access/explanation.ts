import { Facts } from './facts';
import { Policies, RuleSet } from './policies';
import { RuleList } from './rule-list';

/**
 * A line for each rule that is in force: its name, a tab, and the place of the first condition that does not hold; nothing
 * behind the tab where it matches.
 */
export function explanation(policies: Policies, facts: Facts): string {
  let text = ofSet(policies.enforced, facts);
  const tried = policies.tried;
  if (tried !== null) text += ofSet(tried, facts);
  return text + ofList(policies.audited, facts, true);
}

function ofSet(set: RuleSet, facts: Facts): string {
  let text = ofList(set.denying, facts, true);
  for (let i = 0; i < set.gates.length; i++) text += ofList(set.gates[i].rules, facts, false);
  return text;
}

function ofList(list: RuleList, facts: Facts, lenient: bool): string {
  let text = '';
  for (let i = 0; i < list.length; i++) {
    const rule = list.at(i);
    text += rule.name + '\t' + rule.missing(facts, lenient) + '\n';
  }
  return text;
}
