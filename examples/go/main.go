// One page. Change the greeting while `devmount up` runs, and look again.
package main

import (
	"fmt"
	"log"
	"net/http"
)

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "Hello from the container")
	})
	log.Fatal(http.ListenAndServe(":8000", nil))
}
