package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm"
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm/types"
)

type headers struct{ types.DefaultHttpContext }

func (*headers) OnHttpRequestHeaders(int, bool) types.Action {
	path, _ := proxywasm.GetHttpRequestHeader(":path")
	if path == "/hello" {
		fields := [][2]string{{"hello", "World"}, {"powered-by", "proxy-wasm"}}
		must(proxywasm.SendHttpResponse(200, fields, []byte("Hello, World!\n"), -1))
		return types.ActionPause
	}
	if rest, found := strings.CutPrefix(path, "/old"); found {
		must(proxywasm.ReplaceHttpRequestHeader(":path", "/new"+rest))
	}
	all, err := proxywasm.GetHttpRequestHeaders()
	must(err)
	doubles := 0
	for _, field := range all {
		if field[0] == "x-double" {
			doubles++
		}
	}
	must(proxywasm.ReplaceHttpRequestHeader("x-double-count", strconv.Itoa(doubles)))
	must(proxywasm.ReplaceHttpRequestHeader("x-plugin", language))
	must(proxywasm.AddHttpRequestHeader("x-many", "a"))
	must(proxywasm.AddHttpRequestHeader("x-many", "b"))
	must(proxywasm.RemoveHttpRequestHeader("x-remove"))
	echo, err := proxywasm.GetHttpRequestHeader("x-in")
	if err == types.ErrorStatusNotFound {
		echo = "none"
	}
	must(proxywasm.ReplaceHttpRequestHeader("x-echo", echo))
	return types.ActionContinue
}

func (*headers) OnHttpResponseHeaders(int, bool) types.Action {
	must(proxywasm.AddHttpResponseHeader("x-response", language))
	must(proxywasm.RemoveHttpResponseHeader("x-internal"))
	if status, err := proxywasm.GetHttpResponseHeader("x-want-status"); err == nil {
		must(proxywasm.ReplaceHttpResponseHeader(":status", status))
	}
	return types.ActionContinue
}

func (*headers) OnHttpStreamDone() {
	path, _ := proxywasm.GetHttpRequestHeader(":path")
	status, _ := proxywasm.GetHttpResponseHeader(":status")
	proxywasm.LogInfof("done %s %s", path, status)
}

type typical struct{ types.DefaultHttpContext }

func (*typical) OnHttpRequestHeaders(int, bool) types.Action {
	total := 0
	for _, name := range []string{"user-agent", "accept", "cookie"} {
		value, _ := proxywasm.GetHttpRequestHeader(name)
		total += len(value)
	}
	must(proxywasm.ReplaceHttpRequestHeader("x-length", strconv.Itoa(total)))
	return types.ActionContinue
}

type replies struct{ types.DefaultHttpContext }

func (*replies) OnHttpRequestHeaders(int, bool) types.Action {
	asked := [][2]string{{"x-reason", "asked"}}
	if status, err := proxywasm.GetHttpRequestHeader("x-grpc"); err == nil {
		must(proxywasm.SendHttpResponse(200, asked, []byte("aborted, not "+status), 10))
		return types.ActionPause
	}
	text, err := proxywasm.GetHttpRequestHeader("x-reply")
	if err != nil {
		return types.ActionContinue
	}
	status, err := strconv.Atoi(text)
	must(err)
	must(proxywasm.SendHttpResponse(uint32(status), asked, fmt.Appendf(nil, "replied %d\n", status), -1))
	return types.ActionPause
}

func (*replies) OnHttpResponseHeaders(int, bool) types.Action {
	if _, err := proxywasm.GetHttpResponseHeader("x-bad"); err != nil {
		return types.ActionContinue
	}
	must(proxywasm.SendHttpResponse(502, [][2]string{{"x-reason", "bad"}}, []byte("replaced\n"), -1))
	return types.ActionPause
}

type trailers struct{ types.DefaultHttpContext }

func (*trailers) OnHttpRequestTrailers(int) types.Action {
	seen, err := proxywasm.GetHttpRequestTrailer("x-in")
	if err != nil {
		seen = "none"
	}
	must(proxywasm.AddHttpRequestTrailer("x-seen", seen))
	return types.ActionContinue
}

func (*trailers) OnHttpResponseTrailers(int) types.Action {
	must(proxywasm.ReplaceHttpResponseTrailer("x-response-trailer", language))
	must(proxywasm.RemoveHttpResponseTrailer("x-drop"))
	return types.ActionContinue
}
