using System.CommandLine;
using Opt.KubectlOpt.Plotting;

namespace Opt.KubectlOpt.Cli;

/// <summary>The whole command line.</summary>
internal static class Root
{
    private const string Description = """
        Look at and steer the OPT training jobs of a cluster.

        Installed as `kubectl-opt` on the PATH it is `kubectl opt`. It talks to the API server with your kubeconfig and your permissions alone.

        Exit codes: 0 done; 1 not found, refused, or no answer from the API server; 2 wrong command line; 3 the operator did not answer in time.
        """;

    public static RootCommand Create(Terminal terminal)
    {
        var run = new Runner(terminal);
        var root = new RootCommand(Description) { Options.Namespace, Options.Kubeconfig, Options.Context, Options.Timeout };
        foreach (var command in ReadCommands.All(run).Concat(WriteCommands.All(run))) root.Add(command);
        root.Add(PlotCommand.Create(run));
        // A misspelt flag where a name may stand would else be taken for a name.
        foreach (var argument in root.Subcommands.SelectMany(c => c.Arguments)) argument.Validators.Add(Arguments.RefuseFlags);
        root.Add(Completion.Install(terminal));
        root.Add(Completion.Hidden(run, root));
        return root;
    }

    /// <summary>Parses and runs; parse errors exit 2 as documented.</summary>
    public static async Task<int> InvokeAsync(Terminal terminal, string[] arguments, CancellationToken ct = default)
    {
        var root = Create(terminal);
        var parsed = root.Parse(arguments);
        var atRoot = parsed.CommandResult.Command is RootCommand;
        // The list of commands has a line for each; its examples come with `COMMAND --help`.
        if (atRoot) foreach (var command in root.Subcommands) command.Description = command.Description?.Split('\n')[0];
        if (parsed.Errors.Count > 0 && parsed.Action is not null and not System.CommandLine.Help.HelpAction)
        {
            string[] errors = atRoot && arguments.FirstOrDefault() is { } word && !word.StartsWith('-') ? [$"unknown command \"{word}\" for \"kubectl opt\""] : [.. parsed.Errors.Select(e => e.Message)];
            foreach (var error in errors) await terminal.Error.WriteLineAsync($"error: {error}");
            await terminal.Error.WriteLineAsync($"See 'kubectl opt {(atRoot ? "" : parsed.CommandResult.Command.Name + " ")}--help' for usage.");
            return ExitCodes.Usage;
        }

        return await parsed.InvokeAsync(new() { Output = terminal.Out, Error = terminal.Error }, ct);
    }
}
