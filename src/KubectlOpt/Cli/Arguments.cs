using System.CommandLine;
using System.CommandLine.Parsing;
using Opt.Api;

namespace Opt.KubectlOpt.Cli;

/// <summary>Arguments that several commands have, and how they are read.</summary>
internal static class Arguments
{
    public static Argument<string?> Name() => new("NAME") { Description = "the job; may be left out where the namespace holds one", Arity = ArgumentArity.ZeroOrOne };

    public static Option<string?> Output(params string[] also)
    {
        string[] allowed = ["json", "yaml", .. also];
        var option = new Option<string?>("--output", "-o") { Description = $"one of {string.Join(", ", allowed)}" };
        option.Validators.Add(r =>
        {
            if (r.GetValueOrDefault<string?>() is { } given && !allowed.Contains(given)) r.AddError($"--output: \"{given}\" is not allowed; one of {string.Join(", ", allowed)}");
        });
        return option;
    }

    public static void RefuseFlags(ArgumentResult result)
    {
        foreach (var token in result.Tokens.Where(t => t.Value.StartsWith('-'))) result.AddError($"Unrecognized option '{token.Value}'");
    }

    public static TimeSpan Duration(ArgumentResult result)
    {
        var text = result.Tokens[0].Value;
        if (DurationConverter.TryParse(text, out var value) && value > TimeSpan.Zero) return value;
        result.AddError($"{result.Argument.Name}: \"{text}\" is not allowed; a duration such as 30s or 5m");
        return default;
    }
}
