using System.CommandLine;
using Xunit;

namespace Opt.Layout.Documents;

/// <summary>What people copy out of the documents works: each command is run by a test, or is said not to be and why.</summary>
public sealed class CommandTests
{
    private static readonly string[] Kinds = ["live", "parse", "mention", "make", "hand"];

    private static readonly Dictionary<string, Func<RootCommand>> Programs = new()
    {
        ["opt-operator"] = Opt.Operator.Cli.Root.Create,
        ["opt-trainer"] = Opt.Trainer.Cli.Root.Create,
        ["opt-local"] = Opt.LocalCluster.Cli.Root.Create,
        ["kubectl-opt"] = () => Opt.KubectlOpt.Cli.Root.Create(Opt.KubectlOpt.Cli.Terminal.Real),
    };

    [Fact]
    public void Every_command_of_the_documents_is_in_the_list_and_none_besides()
    {
        var listed = CommandLists.Read().Select(e => e.Command).ToArray();
        var shown = DocumentedCommand.All.Select(c => c.Text).Distinct().ToArray();

        Assert.True(shown.Length > 80, "the documents are not read");
        Assert.True(!shown.Except(listed).Any(), $"say in tests/Layout/commands.txt what runs, of the documents: {string.Join("; ", shown.Except(listed))}");
        Assert.True(!listed.Except(shown).Any(), $"no document shows any more, of tests/Layout/commands.txt: {string.Join("; ", listed.Except(shown))}");
        Assert.Equal(listed.Distinct(), listed);
    }

    [Fact]
    public void Every_test_that_the_list_names_is_there()
    {
        var headings = CommandLists.Read().Select(e => e.Heading).Distinct().Where(h => !Kinds.Contains(h)).ToArray();

        Assert.All(headings, heading =>
        {
            Assert.StartsWith("test ", heading, StringComparison.Ordinal);
            var (type, method) = (heading["test ".Length..].Split('.')[0], heading.Split('.')[1]);
            var file = Assert.Single(RepoFiles.Under("tests", $"/{type}.cs"));
            Assert.Contains($" {method}(", RepoFiles.Read(file), StringComparison.Ordinal);
        });
    }

    [Fact]
    public void Every_command_line_of_ours_is_one_that_the_program_takes()
    {
        var ours = CommandLists.Read().Select(e => (e.Heading, Line: Ours(new DocumentedCommand("", e.Command).Words))).Where(e => e.Line is not null).ToArray();

        Assert.True(ours.Length > 25);
        Assert.All(ours, e => Assert.Equal([], Faults(e.Line!.Value.Program, e.Line.Value.Arguments, mention: e.Heading == "mention")));
    }

    [Theory]
    [InlineData("opt-local up --knodes 3")]
    [InlineData("bin/opt-operator walk")]
    [InlineData("kubectl opt status --frobnicate")]
    [InlineData("opt-trainer plan --model")]
    public void A_misspelt_command_line_would_not_pass(string line) => Assert.NotEmpty(Ours(new DocumentedCommand("", line).Words) is { } ours ? Faults(ours.Program, ours.Arguments, mention: false) : []);

    [Fact]
    public void Commands_are_read_out_of_blocks_and_sentences_without_their_comments()
    {
        const string Text = "Run `make run` or `kubectl get \\| cat`, not `kubectl`.\n```sh\nbin/opt-local up \\\n    --nodes 1   # a comment\n\nsed 's|a#b|c|' x\n```\n```text\nkubectl no\n```\n";

        Assert.Equal(["bin/opt-local up --nodes 1", "sed 's|a#b|c|' x", "make run", "kubectl get | cat"], DocumentedCommand.In("d", Text).Select(c => c.Text));
        Assert.Equal(["node", "kill", "NAME", "two words"], new DocumentedCommand("d", "node kill|cut [--now] NAME 'two words' &").Words);
    }

    [Fact]
    public void Every_block_of_a_document_names_its_language() => Assert.All(DocumentedCommand.Documents, d => Assert.DoesNotContain("", DocumentedCommand.Languages(d)));

    /// <summary>Program of ours and its arguments; null for a command of somebody else's.</summary>
    private static (string Program, string[] Arguments)? Ours(IReadOnlyList<string> words) => (string[])[.. words] switch
    {
        ["kubectl", "opt", .. var rest] => ("kubectl-opt", [.. rest]),
        [var program, .. var rest] when Programs.ContainsKey(Path.GetFileName(program)) => (Path.GetFileName(program), [.. rest]),
        _ => null,
    };

    /// <summary>A mention names a command and need not have its arguments.</summary>
    private static IEnumerable<string> Faults(string program, string[] arguments, bool mention)
    {
        // Placeholders stand for names; where a number is due, for one.
        var parsed = Programs[program]().Parse([.. arguments.Select(a => a == "N" ? "2" : a)]);
        if (mention) return parsed.UnmatchedTokens.Select(t => $"{program} has no \"{t}\"");
        return parsed.Errors.Select(e => $"{program} {string.Join(' ', arguments)}: {e.Message}");
    }
}
