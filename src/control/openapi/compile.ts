import type { Diagnostic } from '../diagnostic.ts';
import type { ConfigDocument } from '../document.ts';
import { ApiDocument, isMapping, type Mapping, member, type Part } from './node.ts';
import { ApiParameters, type ParameterSpec } from './parameters.ts';
import { ApiSchemas, type Direction } from './schemas.ts';

const METHODS = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace'];
const PATH_FIELDS = ['$ref', 'summary', 'description', 'servers', 'parameters', ...METHODS];
const OPERATION_FIELDS =
  'tags summary description externalDocs operationId parameters requestBody responses callbacks deprecated security servers'.split(
    ' ',
  );
const ROOT_FIELDS =
  'openapi info jsonSchemaDialect servers paths webhooks components security tags externalDocs'.split(' ');
const DIALECT = 'https://spec.openapis.org/oas/3.1/dialect/base';

interface ContentSpec {
  readonly type: string;
  /** Pointer in the schemas. */
  readonly schema?: string;
}

interface OperationSpec {
  readonly path: string;
  readonly method: string;
  readonly parameters: readonly ParameterSpec[];
  /** Pointer of what the parameters are held against. */
  readonly checked?: string;
  readonly body?: { readonly required: boolean; readonly content: readonly ContentSpec[] };
  readonly responses: readonly { readonly status: string; readonly content: readonly ContentSpec[] }[];
}

/** What the filter `validate` is handed of an OpenAPI document. */
export interface CompiledApi {
  /** Path of its first server, without a slash at the end; null: it has variables. */
  readonly basePath: string | null;
  /** Paths without the base path. The more specific path first. */
  readonly operations: readonly OperationSpec[];
  /** JSON text. */
  readonly schemas: string;
}

/** Reads an OpenAPI document of 3.0 or 3.1. What is wrong with it is in `diagnostics`; then `api` is null. */
export function compileApi(document: ConfigDocument): {
  readonly api: CompiledApi | null;
  readonly diagnostics: readonly Diagnostic[];
} {
  const reader = new ApiReader(new ApiDocument(document));
  const api = reader.read();
  return { api: reader.diagnostics.length === 0 ? api : null, diagnostics: reader.diagnostics };
}

class ApiReader {
  readonly #api: ApiDocument;
  readonly #schemas: ApiSchemas;
  readonly #operations: OperationSpec[] = [];

  constructor(api: ApiDocument) {
    this.#api = api;
    this.#schemas = new ApiSchemas(api);
  }

  get diagnostics(): readonly Diagnostic[] {
    return this.#api.diagnostics;
  }

  read(): CompiledApi {
    const root: Part = { value: this.#api.root, path: [] };
    if (this.diagnostics.length > 0) return { basePath: '', operations: [], schemas: '{}' };
    this.#api.mapping(root, 'an OpenAPI document', ROOT_FIELDS);
    const dialect = this.#api.root['jsonSchemaDialect'];
    if (dialect !== undefined && dialect !== DIALECT)
      this.#api.report(['jsonSchemaDialect'], 'weir reads the dialect of OpenAPI alone');
    const paths = member(root, 'paths');
    if (paths.value === undefined) this.#api.report([], 'the document has no paths');
    else this.#readPaths(paths);
    this.#operations.sort((a, b) => compareTemplates(a.path, b.path));
    return { basePath: this.#basePath(root), operations: this.#operations, schemas: this.#schemas.text() };
  }

  #basePath(root: Part): string | null {
    const [first] = this.#api.list(member(root, 'servers'), 'servers');
    if (first === undefined) return '';
    const url = member(first, 'url');
    if (typeof url.value !== 'string') {
      this.#api.report(first.path, 'a server needs a url');
      return '';
    }
    const path = url.value.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/]*/i, '').replace(/\/+$/, '');
    if (path.includes('{')) return null;
    return path === '' || path.startsWith('/') ? path : `/${path}`;
  }

  #readPaths(paths: Part): void {
    const all = this.#api.mapping(paths, 'paths') ?? {};
    const shapes = new Map<string, string>();
    for (const path of Object.keys(all)) {
      if (path.startsWith('x-')) continue;
      const part = member(paths, path);
      const templates = this.#templatesOf(path, part);
      if (templates === null) continue;
      const shape = path.replaceAll(/\{[^}]*\}/g, '{}');
      const twin = shapes.get(shape);
      if (twin !== undefined)
        this.#api.report(
          part.path,
          `the same paths as ${twin}: names in braces do not tell them apart`,
          undefined,
          true,
        );
      shapes.set(shape, path);
      this.#readPath(path, part, templates);
    }
  }

  /** Names in braces, by the number of their part of the path; null where the path cannot be used, which is reported. */
  #templatesOf(path: string, part: Part): Map<string, number> | null {
    const templates = new Map<string, number>();
    const fault = (message: string): null => {
      this.#api.report(part.path, message, undefined, true);
      return null;
    };
    if (!path.startsWith('/')) return fault('a path begins with a slash');
    for (const [i, text] of path.slice(1).split('/').entries()) {
      const name = /^\{([^{}]+)\}$/.exec(text)?.[1];
      if (name === undefined && /[{}?#*]/.test(text))
        return fault(`weir reads names in braces that stand for a whole part between slashes, not "${text}"`);
      if (name === undefined) continue;
      if (templates.has(name)) return fault(`{${name}} is there twice`);
      templates.set(name, i);
    }
    return templates;
  }

  #readPath(path: string, given: Part, templates: ReadonlyMap<string, number>): void {
    const part = this.#api.resolve(given);
    const item = part === null ? null : this.#api.mapping(part, 'a path', PATH_FIELDS);
    if (part === null || item === null) return;
    if (item['servers'] !== undefined)
      this.#api.report(
        member(part, 'servers').path,
        'weir reads servers of the whole document alone',
        undefined,
        true,
      );
    for (const method of METHODS.filter((name) => item[name] !== undefined))
      this.#readOperation(path, method, part, member(part, method), templates);
  }

  #readOperation(
    path: string,
    method: string,
    item: Part,
    part: Part,
    templates: ReadonlyMap<string, number>,
  ): void {
    const operation = this.#api.mapping(part, 'an operation', OPERATION_FIELDS);
    if (operation === null) return;
    const parameters = new ApiParameters(this.#api, this.#schemas);
    parameters.read(member(item, 'parameters'));
    parameters.read(member(part, 'parameters'));
    const checked = parameters.compile(templates, part);
    const body = operation['requestBody'] === undefined ? null : this.#readBody(member(part, 'requestBody'));
    this.#operations.push({
      path,
      method: method.toUpperCase(),
      parameters: parameters.specs,
      ...(checked === null ? {} : { checked }),
      ...(body === null ? {} : { body }),
      responses: this.#readResponses(member(part, 'responses')),
    });
  }

  #readBody(given: Part): NonNullable<OperationSpec['body']> | null {
    const part = this.#api.resolve(given);
    const body =
      part === null
        ? null
        : this.#api.mapping(part, 'a request body', ['description', 'content', 'required']);
    if (part === null || body === null) return null;
    if (body['content'] === undefined) this.#api.report(part.path, 'a request body needs content');
    return {
      required: body['required'] === true,
      content: this.#readContent(member(part, 'content'), 'request'),
    };
  }

  #readContent(part: Part, direction: Direction): ContentSpec[] {
    if (part.value === undefined) return [];
    const content = this.#api.mapping(part, 'content') ?? {};
    const found = Object.keys(content).map((name): ContentSpec => {
      const own = member(part, name);
      const type = name.split(';')[0]!.trim().toLowerCase();
      if (!/^[^/\s]+\/[^/\s]+$/.test(type))
        this.#api.report(own.path, `"${name}" is no media type`, undefined, true);
      const media = this.#api.mapping(own, 'a media type', ['schema', 'example', 'examples', 'encoding']);
      const isChecked = media?.['schema'] !== undefined && isJson(type);
      return { type, ...(isChecked ? { schema: this.#schemas.add(member(own, 'schema'), direction) } : {}) };
    });
    // The one that says most first.
    return found.sort((a, b) => stars(a.type) - stars(b.type));
  }

  #readResponses(part: Part): OperationSpec['responses'] {
    if (part.value === undefined) return [];
    const responses = this.#api.mapping(part, 'responses') ?? {};
    const found: { status: string; content: ContentSpec[] }[] = [];
    for (const status of Object.keys(responses).filter((name) => !name.startsWith('x-'))) {
      const own = member(part, status);
      if (!/^([1-5](\d\d|XX)|default)$/.test(status))
        this.#api.report(own.path, `"${status}" is no status`, 'such as "200", "4XX" or default', true);
      const resolved = this.#api.resolve(own);
      const response =
        resolved === null
          ? null
          : this.#api.mapping(resolved, 'a response', ['description', 'headers', 'content', 'links']);
      if (resolved === null || response === null) continue;
      const content = this.#readContent(member(resolved, 'content'), 'response');
      if (content.length > 0) found.push({ status, content });
    }
    return found;
  }
}

function isJson(type: string): boolean {
  return type === 'application/json' || type.endsWith('+json') || type === '*/*' || type === 'application/*';
}

function stars(type: string): number {
  return type.split('*').length;
}

/** Parts that are written out before names in braces (OpenAPI, "Path Templating Matching"). */
function compareTemplates(a: string, b: string): number {
  const [left, right] = [a.split('/'), b.split('/')];
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    const [first, second] = [left[i]!.startsWith('{'), right[i]!.startsWith('{')];
    if (first !== second) return first ? 1 : -1;
  }
  return 0;
}

/** Whether a document of YAML is an OpenAPI document, and no object of a configuration. */
export function isApiDocument(value: unknown): boolean {
  const document: Mapping = isMapping(value) ? value : {};
  return document['kind'] === undefined && ('openapi' in document || 'swagger' in document);
}
