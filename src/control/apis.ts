import type { Config } from './config.ts';
import { resolveBeside, type FileReader } from './files.ts';
import { compileApi, type CompiledApi } from './openapi/compile.ts';
import { parseText } from './parse.ts';
import { apiOf } from './validation.ts';

/** The OpenAPI documents that filters name, by path of the file. What is wrong with them is reported, and they are left out. */
export async function loadApis(config: Config, reader: FileReader): Promise<Map<string, CompiledApi>> {
  const apis = new Map<string, CompiledApi>();
  for (const chain of config.all('FilterChain')) {
    for (const [i, filter] of chain.value.spec.filters.entries()) {
      const named = apiOf(filter);
      if (named === null) continue;
      const file = resolveBeside(chain.document.file, named.file);
      const read = await reader.text(file);
      if (typeof read === 'string') {
        const path = ['spec', 'filters', i, 'config', 'openapi', 'file'];
        config.report(chain, 'WEIR1214', path, `filter "${filter.name}": ${file} ${read}`);
        continue;
      }
      const { documents, diagnostics } = parseText(file, read.text);
      config.diagnostics.push(...diagnostics);
      if (documents.length !== 1) {
        const path = ['spec', 'filters', i, 'config', 'openapi', 'file'];
        const found =
          diagnostics.length > 0 ? 'cannot be read' : `holds ${documents.length} documents in place of one`;
        config.report(chain, 'WEIR1214', path, `filter "${filter.name}": ${file} ${found}`);
        continue;
      }
      const compiled = compileApi(documents[0]!);
      config.diagnostics.push(...compiled.diagnostics);
      if (compiled.api === null) continue;
      apis.set(file, compiled.api);
      if (compiled.api.basePath !== null || named.basePath !== undefined) continue;
      const path = ['spec', 'filters', i, 'config', 'openapi'];
      config.report(
        chain,
        'WEIR1214',
        path,
        `filter "${filter.name}": the path of the document's server has variables`,
        {
          hint: 'say what it is: basePath: /v1',
        },
      );
    }
  }
  return apis;
}
