using System.CommandLine;
using Opt.Kubernetes;
using Opt.KubectlOpt.Views;

namespace Opt.KubectlOpt.Cli;

/// <summary>
/// Shell completion. kubectl completes a plugin by running <c>kubectl_complete-opt</c> and reading candidates, one a line, and then a directive
/// (https://kubernetes.io/docs/tasks/extend-kubectl/kubectl-plugins/); ours is the hidden command __complete.
/// </summary>
internal static class Completion
{
    private const string Script = "#!/bin/sh\nexec kubectl-opt __complete -- \"$@\"\n";

    /// <summary>Directive 4: do not fall back to file names.</summary>
    private const string NoFiles = ":4";

    public static Command Install(Terminal terminal)
    {
        var command = new Command("completion", "Print the program by which kubectl completes `kubectl opt`.\n\n  kubectl opt completion > ~/.local/bin/kubectl_complete-opt && chmod +x ~/.local/bin/kubectl_complete-opt");
        command.SetAction(_ => terminal.Out.Write(Script));
        return command;
    }

    public static Command Hidden(Runner run, RootCommand root)
    {
        var words = new Argument<string[]>("words") { Arity = ArgumentArity.ZeroOrMore };
        var command = new Command("__complete") { words };
        command.Hidden = true;
        run.Handle(command, async (parsed, cluster, terminal, ct) =>
        {
            var given = parsed.GetValue(words) ?? [];
            var last = given.LastOrDefault() ?? "";
            var verb = given.SkipLast(1).FirstOrDefault(w => !w.StartsWith('-'));
            IEnumerable<string> candidates = verb is null ? root.Subcommands.Where(c => !c.Hidden).Select(c => c.Name)
                : last.StartsWith('-') ? root.Subcommands.FirstOrDefault(c => c.Name == verb)?.Options.Select(o => o.Name).Order(StringComparer.Ordinal) ?? Enumerable.Empty<string>()
                : await NamesAsync(verb, cluster, ct);
            foreach (var candidate in candidates.Where(c => c.StartsWith(last, StringComparison.Ordinal))) await terminal.Out.WriteLineAsync(candidate);
            await terminal.Out.WriteLineAsync(NoFiles);
            return ExitCodes.Done;
        });
        return command;
    }

    private static async Task<IEnumerable<string>> NamesAsync(string verb, Cluster.JobCluster cluster, CancellationToken ct)
    {
        try
        {
            return verb is "quarantine" or "release" ? (await cluster.NodesAsync(ct)).Keys.Order(StringComparer.Ordinal) : (await cluster.ListAsync(allNamespaces: false, ct)).Select(j => j.Name());
        }
        catch (KubernetesException)
        {
            return [];   // a prompt is no place for an error
        }
    }
}
