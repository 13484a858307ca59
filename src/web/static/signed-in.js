// The pages that wait for a sign-in learn of it at once.
localStorage.setItem("atende signed in", String(Date.now()));
