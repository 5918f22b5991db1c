package main

import (
	"bytes"
	"fmt"

	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm"
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm/types"
)

type body struct {
	types.DefaultHttpContext
	mode string
}

func (b *body) OnHttpRequestHeaders(int, bool) types.Action {
	b.mode, _ = proxywasm.GetHttpRequestHeader("x-body")
	must(proxywasm.RemoveHttpRequestHeader("content-length"))
	return types.ActionContinue
}

func (b *body) OnHttpRequestBody(size int, end bool) types.Action {
	if !end {
		return types.ActionPause
	}
	switch b.mode {
	case "append":
		must(proxywasm.AppendHttpRequestBody([]byte("[end]")))
	case "prepend":
		must(proxywasm.PrependHttpRequestBody([]byte("[begin]")))
	case "replace":
		must(proxywasm.ReplaceHttpRequestBody([]byte("[replaced]")))
	default:
		content, _ := proxywasm.GetHttpRequestBody(0, size)
		if text := redacted(content); text != nil {
			must(proxywasm.ReplaceHttpRequestBody(text))
		}
	}
	return types.ActionContinue
}

func (*body) OnHttpResponseHeaders(int, bool) types.Action {
	must(proxywasm.RemoveHttpResponseHeader("content-length"))
	return types.ActionContinue
}

func (*body) OnHttpResponseBody(size int, end bool) types.Action {
	if !end {
		return types.ActionPause
	}
	content, _ := proxywasm.GetHttpResponseBody(0, size)
	if text := redacted(content); text != nil {
		must(proxywasm.ReplaceHttpResponseBody(text))
	}
	return types.ActionContinue
}

func redacted(content []byte) []byte {
	if !bytes.Contains(content, []byte("secret")) {
		return nil
	}
	return fmt.Appendf(nil, "Original message body (%d bytes) redacted.\n", len(content))
}

type scan struct{ types.DefaultHttpContext }

func (*scan) OnHttpRequestBody(size int, end bool) types.Action {
	content, _ := proxywasm.GetHttpRequestBody(0, size)
	if at := bytes.Index(content, []byte("pattern")); at >= 0 {
		found := [][2]string{{"x-scan", "found"}}
		must(proxywasm.SendHttpResponse(403, found, fmt.Appendf(nil, "pattern at %d\n", at), -1))
		return types.ActionPause
	}
	if !end {
		return types.ActionPause
	}
	return types.ActionContinue
}
