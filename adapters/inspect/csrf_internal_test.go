package inspect

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// What is the same for all who have no cookie is no secret of one of them.
func TestAFormWithoutACookieIsRefusedWhateverItsToken(t *testing.T) {
	f := forms{crossOrigin: http.NewCrossOriginProtection(), key: make([]byte, 32)}
	form := url.Values{tokenField: {f.tokenOf("")}}
	r := httptest.NewRequest(http.MethodPost, "/redis/act", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	assert.ErrorIs(t, f.checkForm(httptest.NewRecorder(), r), errForm)
}
