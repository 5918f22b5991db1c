package main

import (
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm"
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm/types"
)

const timeout = 2000

type auth struct{ types.DefaultHttpContext }

func (a *auth) OnHttpRequestHeaders(int, bool) types.Action {
	upstream := "authz"
	if path, _ := proxywasm.GetHttpRequestHeader(":path"); path == "/unknown" {
		upstream = "nowhere"
	}
	token, _ := proxywasm.GetHttpRequestHeader("x-token")
	fields := [][2]string{{":method", "POST"}, {":path", "/check"}, {":authority", "authz"}, {"x-token", token}}
	_, err := proxywasm.DispatchHttpCall(upstream, fields, []byte("who is it?"), nil, timeout, a.answered)
	if err != nil {
		must(proxywasm.SendHttpResponse(500, nil, []byte("dispatch refused\n"), -1))
	}
	return types.ActionPause
}

func (*auth) answered(_, size, _ int) {
	status, user := "none", ""
	fields, _ := proxywasm.GetHttpCallResponseHeaders()
	for _, field := range fields {
		switch field[0] {
		case ":status":
			status = field[1]
		case "x-user":
			user = field[1]
		}
	}
	if status == "200" {
		content, _ := proxywasm.GetHttpCallResponseBody(0, size)
		must(proxywasm.ReplaceHttpRequestHeader("x-user", user))
		must(proxywasm.ReplaceHttpRequestHeader("x-call-body", string(content)))
		must(proxywasm.ResumeHttpRequest())
		return
	}
	told := [][2]string{{"x-auth-status", status}}
	must(proxywasm.SendHttpResponse(403, told, []byte("Access forbidden.\n"), -1))
}

type dispatches struct {
	types.DefaultHttpContext
	pending int
}

func (d *dispatches) OnHttpResponseHeaders(int, bool) types.Action {
	for _, path := range []string{"/1", "/2", "/3"} {
		fields := [][2]string{{":method", "GET"}, {":path", path}, {":authority", "authz"}}
		_, err := proxywasm.DispatchHttpCall("authz", fields, nil, nil, timeout, d.answered)
		must(err)
	}
	return types.ActionPause
}

func (d *dispatches) answered(_, _, _ int) {
	d.pending--
	if d.pending == 0 {
		must(proxywasm.ReplaceHttpResponseHeader("x-dispatched", "3"))
		must(proxywasm.ResumeHttpResponse())
	}
}
