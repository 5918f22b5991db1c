import { INPUT, Rule, Severity, Target } from '../rule';

const WHERE = INPUT | Target.Path | Target.Referer | Target.UserAgent | Target.Headers | Target.FileNames;
const C = Severity.Critical;

export const XSS: Rule[] = [
  new Rule('xss/script-tag', C, 1, WHERE, '<[^\\w<>=?!]*([\\w-]+:)?script[\\W]'),
  new Rule(
    'xss/event-handler',
    C,
    1,
    WHERE,
    '<[a-z!/?][^>]*[ /"\'`]on[a-z]+ ?=|[ /"\'`>]on(error|load|click|dblclick|mouse[a-z]+|key[a-z]+|focus(in|out)?|blur|change|submit|toggle|begin|end|start|finish|animation[a-z]+|transition[a-z]+|pointer[a-z]+|wheel|scroll(end)?|copy|cut|paste|drag[a-z]*|drop|input|invalid|select(start)?|reset|resize|show|unload|beforeunload|hashchange|message|popstate|pageshow|touch[a-z]+|auxclick|beforeinput|contextmenu|canplay(through)?|loadstart|loadeddata|play(ing)?|timeupdate) ?= ?[^ =]',
  ),
  new Rule(
    'xss/dangerous-tag',
    C,
    1,
    WHERE,
    '<[^\\w<>=?!]*(iframe|frame|frameset|object|embed|applet|meta|base|link|isindex|layer|ilayer|bgsound|xml|xss|portal|marquee|math|svg|foreignobject|animate|set|handler|template|noscript|form|textarea|keygen|style|img|image|video|audio|source|body|html|input|button|details|dialog|slot)([ />]|$)',
  ),
  new Rule(
    'xss/script-url',
    C,
    1,
    WHERE,
    '(j ?a ?v ?a ?s ?c ?r ?i ?p ?t|v ?b ?s ?c ?r ?i ?p ?t|livescript|mocha) ?:[^ ]|data ?: ?(text/html|image/svg\\+xml|application/x?html|text/xml|application/xml)[ ;,]|(j avascript|ja vascript|jav ascript|javasc ript|javascr ipt|javascri pt|javascrip t|v bscript|vb script|vbs cript) ?:|java?script ?:[ ]?\\\\|^ ?data:[^,]*[, ]+<|&[#x]*[\\da-f]+;?[^ ]*script ?:|:script ?:',
  ),
  new Rule(
    'xss/javascript-call',
    C,
    1,
    WHERE,
    '\\W(alert|confirm|prompt|eval|settimeout|setinterval|execscript|expression|fetch|importscripts|atob|btoa|unescape|decodeuri(component)?)( ?[(`]|[.](call|apply|bind)|\\?[.]\\()[^)]*(document|cookie|location|window|self|this|top|parent|\\d|[\'"`/\\[]|string[.]|\\))|\\W(alert|eval|atob|btoa|prompt|confirm|execscript|msgbox|postmessage|settimeout|setinterval)\\(([^s)]|s[^)])|string[.]from(charcode|codepoint)|\\W(innerhtml|outerhtml|insertadjacenthtml|createcontextualfragment|document[.]write\\w*)\\W|\\Wthrow\\W+(onerror|\\w+ ?=)|onerror ?= ?(alert|eval)',
  ),
  new Rule(
    'xss/document-access',
    C,
    1,
    WHERE,
    '\\W(document|window|self|top|parent|frames|globalthis) ?([.]|\\[) ?[\'"`]?(cookie|domain|location|write(ln)?|body|createelement|getelement|queryselector|defaultview|forms|scripts|localstorage|sessionstorage|eval|alert|open|name|onload|onerror|document)\\W|\\(? ?(document|window|self|globalthis|navigation|this) ?\\) ?([.] ?[a-z]|\\[)|\\W(self|window|globalthis|frames|top|parent|document) ?\\[ ?([\'"`]|/|\\w+[+.(])',
  ),
  new Rule(
    'xss/property-write',
    C,
    1,
    WHERE,
    '([.]|\\[[\'"`])(innerhtml|outerhtml|insertadjacenthtml|srcdoc|cookie|location)[\'"`]?\\]? ?=[^=]|\\Wlocation ?[.]? ?(href|assign|replace)? ?(=|\\() ?[\'"`/(a-z]*(javascript|http|//|document|name)',
  ),
  new Rule(
    'xss/constructor',
    C,
    1,
    WHERE,
    '([.]|\\[ ?[\'"`])constructor[\'"`]?\\]? ?([.]|\\[|\\()|\\W(function|reflect|proxy) ?\\( ?[\'"`]|\\[\\] ?\\[ ?[\'"(!+]|\\(!\\[\\]\\+|!!\\[\\]\\]|\\]( ?[.] ?\\w+)? ?[.] ?(call|apply|bind|map|sort|find|filter|foreach|some|every|reduce) ?`|[.] ?(call|apply|bind) ?`|\\Wreflect ?[.] ?\\w+ ?([.(`])|\\Wnew function ?\\(|\\Wimport ?(\\{[^}]*\\}|\\w+|\\* as \\w+) ?from ?[\'"`]|[+]adw-|[+]ad4-|[+]aci-|[!+\\[(]{2,}\\][!+\\[\\]()]{2,}',
  ),
  new Rule(
    'xss/html-attribute',
    C,
    1,
    WHERE,
    '<[a-z][^>]*(src|href|action|formaction|data|poster|background|xlink:href|srcdoc|style) ?= ?[\'"`]?[ ]?(javascript|vbscript|data|//|http)|style ?= ?[^>]*(expression ?\\(|behaviou?r ?:|-moz-binding|@import|url ?\\( ?[\'"]?javascript)|[:=(] ?url ?\\( ?[\'"]?(javascript|vbscript|data:text)|-moz-binding ?:|\\W(xlink:href|xlink:actuate|formaction|srcdoc|dynsrc|lowsrc|fscommand|seeksegmenttime|datasrc|onsubmit|attributename) ?= ?[\'"`]?[^ =]|@import ?(url|[\'"])|behaviou?r ?: ?url|<[^>]*\\W(style|background) ?= ?[^>]*(url ?\\(|&#|\\\\)|<\\w+:vmlframe|<\\?xml:namespace|[.](parentnode|ownerdocument|appendchild|insertbefore|childnodes|nodevalue)\\W',
  ),
  new Rule(
    'xss/comment-or-cdata',
    Severity.Error,
    1,
    WHERE,
    '<!(--|\\[cdata\\[|doctype|entity|element|attlist)|<\\?import|-->|<\\?? ?import ?implementation ?=',
  ),
  new Rule('xss/any-tag', Severity.Error, 2, WHERE, '<[ /]*[a-z][a-z0-9:-]*[ />]'),
  new Rule(
    'xss/template',
    C,
    1,
    WHERE,
    '\\{\\{.*(constructor|\\$on|\\$eval|\\$new|toString|alert|prompt|__proto__).*\\}\\}',
  ),
];
