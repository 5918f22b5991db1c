package main

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm"
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm/types"
)

type properties struct {
	types.DefaultHttpContext
	path string
}

func (p *properties) value() string {
	value, err := proxywasm.GetProperty(strings.Split(p.path, "."))
	if err != nil {
		return "none"
	}
	return hex.EncodeToString(value)
}

func (p *properties) OnHttpRequestHeaders(int, bool) types.Action {
	p.path, _ = proxywasm.GetHttpRequestHeader("x-property")
	must(proxywasm.SetProperty([]string{"note"}, []byte("written")))
	must(proxywasm.ReplaceHttpRequestHeader("x-value", p.value()))
	return types.ActionContinue
}

func (p *properties) OnHttpResponseHeaders(int, bool) types.Action {
	must(proxywasm.ReplaceHttpResponseHeader("x-value", p.value()))
	note, _ := proxywasm.GetProperty([]string{"note"})
	must(proxywasm.ReplaceHttpResponseHeader("x-note", string(note)))
	return types.ActionContinue
}

func (p *properties) OnHttpStreamDone() {
	proxywasm.LogInfof("%s = %s", p.path, p.value())
}

type logs struct{ types.DefaultHttpContext }

func (*logs) OnHttpRequestHeaders(int, bool) types.Action {
	proxywasm.LogTrace("at trace")
	proxywasm.LogDebug("at debug")
	proxywasm.LogInfo("at info")
	proxywasm.LogWarn("at warn")
	proxywasm.LogError("at error")
	proxywasm.LogCritical("at critical")
	fmt.Println("printed by " + language)
	return types.ActionContinue
}

type foreign struct{ types.DefaultHttpContext }

func (*foreign) OnHttpRequestHeaders(int, bool) types.Action {
	words := []byte("hello hello hello hello hello hello")
	packed, err := proxywasm.CallForeignFunction("compress", words)
	var plain []byte
	if err == nil {
		plain, _ = proxywasm.CallForeignFunction("uncompress", packed)
	}
	must(proxywasm.ReplaceHttpRequestHeader("x-compress", okIf(bytes.Equal(plain, words))))
	unknown := "0"
	if _, err := proxywasm.CallForeignFunction("no such function", nil); err == types.ErrorStatusNotFound {
		unknown = "1"
	}
	must(proxywasm.ReplaceHttpRequestHeader("x-unknown", unknown))
	return types.ActionContinue
}

type clock struct{ types.DefaultHttpContext }

func (*clock) OnHttpRequestHeaders(int, bool) types.Action {
	sane := time.Now().Unix() > 1_600_000_000
	must(proxywasm.ReplaceHttpRequestHeader("x-clock", okIf(sane)))
	random := make([]byte, 16)
	_, err := rand.Read(random)
	must(proxywasm.ReplaceHttpRequestHeader("x-random", okIf(err == nil && !bytes.Equal(random, make([]byte, 16)))))
	return types.ActionContinue
}

type configuration struct {
	types.DefaultHttpContext
	plugin, vm string
}

func (c *configuration) OnHttpRequestHeaders(int, bool) types.Action {
	must(proxywasm.ReplaceHttpRequestHeader("x-config", c.plugin))
	must(proxywasm.ReplaceHttpRequestHeader("x-vm-config", c.vm))
	return types.ActionContinue
}
