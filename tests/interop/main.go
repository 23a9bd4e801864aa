// Our notes, trees and proofs, checked by Go's golang.org/x/mod/sumdb (note, tlog), which share no code with us; and
// theirs, made for us to check. Run by tests/it/interop.rs, with Debian's packages and without a network.
package main

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func insist(holds bool, what string, args ...interface{}) {
	if !holds {
		must(fmt.Errorf(what, args...))
	}
}

func parse(text string) tlog.Hash {
	var hash tlog.Hash
	bytes, err := hex.DecodeString(text)
	must(err)
	insist(len(bytes) == len(hash), "%q is no hash", text)
	copy(hash[:], bytes)
	return hash
}

func parseAll(texts []string) []tlog.Hash {
	hashes := []tlog.Hash{}
	for _, text := range texts {
		hashes = append(hashes, parse(text))
	}
	return hashes
}

func spell(hashes []tlog.Hash) []string {
	texts := []string{}
	for _, hash := range hashes {
		texts = append(texts, hex.EncodeToString(hash[:]))
	}
	return texts
}

// A tree as sumdb keeps it.
type tree struct {
	stored []tlog.Hash
	size   int64
}

func (t *tree) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	hashes := []tlog.Hash{}
	for _, index := range indexes {
		hashes = append(hashes, t.stored[index])
	}
	return hashes, nil
}

func (t *tree) add(leaf []byte) {
	hashes, err := tlog.StoredHashes(t.size, leaf, t)
	must(err)
	t.stored = append(t.stored, hashes...)
	t.size++
}

func (t *tree) root(size int64) tlog.Hash {
	root, err := tlog.TreeHash(size, t)
	must(err)
	return root
}

// A checkpoint: a note that the key's holder signed, of which origin, size and root are the lines.
func open(text string, key note.Verifier) (size int64, root tlog.Hash) {
	opened, err := note.Open([]byte(text), note.VerifierList(key))
	must(err)
	insist(len(opened.Sigs) == 1 && len(opened.UnverifiedSigs) == 0, "another number of signatures")
	lines := strings.Split(opened.Text, "\n")
	insist(len(lines) == 4 && lines[3] == "", "%q has not three lines", opened.Text)
	insist(lines[0] == key.Name(), "%q is not the key's tree", lines[0])
	size, err = strconv.ParseInt(lines[1], 10, 64)
	must(err)
	bytes, err := base64.StdEncoding.DecodeString(lines[2])
	must(err)
	copy(root[:], bytes)
	return size, root
}

// check VERIFIER SECRET-FILE EXPORT PROOF CONSISTENCY
func check(args []string) {
	key, err := note.NewVerifier(args[0])
	must(err)
	secret, err := os.ReadFile(args[1])
	must(err)
	signer, err := note.NewSigner(strings.TrimSpace(string(secret)))
	must(err)

	// The export: notes, then leaves.
	file, err := os.Open(args[2])
	must(err)
	notes, whole, leaves := []string{}, &tree{}, 0
	scanner := bufio.NewScanner(file)
	scanner.Buffer(nil, 1<<24)
	for scanner.Scan() {
		var line struct {
			Checkpoint string
			Leaf       *struct {
				Seq     int64
				Hash    string
				Content string
			}
		}
		must(json.Unmarshal(scanner.Bytes(), &line))
		if line.Checkpoint != "" {
			notes = append(notes, line.Checkpoint)
		}
		if line.Leaf != nil {
			insist(line.Leaf.Seq == whole.size, "leaf %d stands at %d", line.Leaf.Seq, whole.size)
			insist(tlog.RecordHash([]byte(line.Leaf.Content)) == parse(line.Leaf.Hash), "leaf %d", line.Leaf.Seq)
			whole.add([]byte(line.Leaf.Content))
			leaves++
		}
	}
	must(scanner.Err())
	insist(len(notes) >= 2 && leaves > 10, "%d notes, %d leaves", len(notes), leaves)
	for _, text := range notes {
		size, root := open(text, key)
		insist(whole.root(size) == root, "the root over %d leaves is another one", size)
		// Ed25519 signs one text in one way: the key is spelled as note spells it, and so is what it signs.
		opened, err := note.Open([]byte(text), note.VerifierList(key))
		must(err)
		again, err := note.Sign(&note.Note{Text: opened.Text}, signer)
		must(err)
		insist(string(again) == text, "signed again it is another note")
		// And a changed text is signed by nobody.
		_, err = note.Open(bytes.Replace([]byte(text), []byte("\n"), []byte("x\n"), 1), note.VerifierList(key))
		insist(err != nil, "a changed text passes")
	}

	// The proof: each leaf is under the checkpoint, and the file under the leaf.
	var proof struct {
		Checkpoint string
		Leaves     []struct {
			Leaf  string
			Path  []string
			Field string
			File  struct {
				File  string
				Salt  string
				Index int64
				Path  []string
			}
		}
	}
	text, err := os.ReadFile(args[3])
	must(err)
	must(json.Unmarshal(text, &proof))
	size, root := open(proof.Checkpoint, key)
	insist(len(proof.Leaves) == 3, "%d leaves in the proof", len(proof.Leaves))
	for _, shown := range proof.Leaves {
		var leaf struct {
			Seq  int64
			Fact map[string]json.RawMessage
		}
		must(json.Unmarshal([]byte(shown.Leaf), &leaf))
		must(tlog.CheckRecord(parseAll(shown.Path), size, root, leaf.Seq, tlog.RecordHash([]byte(shown.Leaf))))
		var set struct {
			Files int64
			Root  string
		}
		must(json.Unmarshal(leaf.Fact[shown.Field], &set))
		salt := parse(shown.File.Salt)
		commitment := sha256.Sum256(append(salt[:], shown.File.File...))
		record := tlog.RecordHash(commitment[:])
		must(tlog.CheckRecord(parseAll(shown.File.Path), set.Files, parse(set.Root), shown.File.Index, record))
	}

	// That each beginning of the tree is one: our consistency proofs, between all sizes.
	var consistency []struct {
		From, To int64
		Proof    []string
	}
	text, err = os.ReadFile(args[4])
	must(err)
	must(json.Unmarshal(text, &consistency))
	insist(len(consistency) > 50, "%d consistency proofs", len(consistency))
	for _, c := range consistency {
		must(tlog.CheckTree(parseAll(c.Proof), c.To, whole.root(c.To), c.From, whole.root(c.From)))
	}
	fmt.Printf("%d notes, %d leaves, %d consistency proofs\n", len(notes), leaves, len(consistency))
}

type inclusion struct {
	Index int64    `json:"index"`
	Size  int64    `json:"size"`
	Path  []string `json:"path"`
}

type consistent struct {
	From int64    `json:"from"`
	To   int64    `json:"to"`
	Path []string `json:"path"`
}

// make: a key, a signed checkpoint, and a tree with every proof in it, as JSON.
func makeAll() {
	secret, public, err := note.GenerateKey(rand.Reader, "sumdb.example/tree")
	must(err)
	signer, err := note.NewSigner(secret)
	must(err)
	whole, leaves, roots := &tree{}, []string{}, []string{}
	inclusions, consistencies := []inclusion{}, []consistent{}
	for size := int64(1); size <= 40; size++ {
		leaf := fmt.Sprintf("leaf %d", size-1)
		whole.add([]byte(leaf))
		leaves = append(leaves, leaf)
		roots = append(roots, spell([]tlog.Hash{whole.root(size)})...)
		for at := int64(0); at < size; at++ {
			path, err := tlog.ProveRecord(size, at, whole)
			must(err)
			inclusions = append(inclusions, inclusion{at, size, spell(path)})
			path2, err := tlog.ProveTree(size, at+1, whole)
			must(err)
			consistencies = append(consistencies, consistent{at + 1, size, spell(path2)})
		}
	}
	root := whole.root(whole.size)
	text := fmt.Sprintf("sumdb.example/tree\n%d\n%s\n", whole.size, base64.StdEncoding.EncodeToString(root[:]))
	signed, err := note.Sign(&note.Note{Text: text}, signer)
	must(err)
	must(json.NewEncoder(os.Stdout).Encode(map[string]interface{}{
		"secret": secret, "public": public, "note": string(signed), "leaves": leaves, "roots": roots,
		"inclusion": inclusions, "consistency": consistencies,
	}))
}

func main() {
	if os.Args[1] == "make" {
		makeAll()
		return
	}
	check(os.Args[2:])
}
