using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Opt.Trainer.Tokenization;
using Xunit;

namespace Opt.Trainer.Tests.Tokenization;

public sealed class BpeTokenizerTests
{
    [Theory]
    [InlineData("Hello world! cécé herlolip", "31414 232 328 740 1140 12695 69 46078 1588")]
    [InlineData(" Hello world!", "20920 232 328")]
    [InlineData("Today is a beautiful day and I want to", "5625 16 10 2721 183 8 38 236 7")]
    [InlineData("In the city of", "1121 5 343 9")]
    [InlineData("Paris is the capital of France and", "32826 16 5 812 9 1470 8")]
    [InlineData("Computers and mobile phones have taken", "14721 43990 8 1830 4247 33 551")]
    [InlineData("The man turned on the faucet so the toilet filled with water.", "133 313 1224 15 5 856 17527 594 98 5 11471 3820 19 514 4")]
    [InlineData("a\n\nb", "102 50118 50118 428")]
    public void Opts_vocabulary_gives_opts_ids(string text, string ids)
    {
        var tokenizer = new BpeTokenizer(OptVocabulary.Opt);
        Assert.Equal(ids, string.Join(' ', tokenizer.Encode(text)));
        Assert.Equal(text, tokenizer.Decode(tokenizer.Encode(text)));
    }

    [Theory]
    [InlineData("Hello world", "15496 995")]
    [InlineData("Hello, my dog is cute", "15496 11 616 3290 318 13779")]
    public void Gpt2s_vocabulary_gives_gpt2s_ids(string text, string ids) => Assert.Equal(ids, string.Join(' ', new BpeTokenizer(OptVocabulary.Gpt2).Encode(text)));

    [Fact]
    public void Special_tokens_have_their_ids_and_are_not_recognised_in_text()
    {
        var vocabulary = OptVocabulary.Opt;
        Assert.Equal((2, 1, 50265), (vocabulary.Find("</s>"), vocabulary.Find("<pad>"), vocabulary.Size));
        Assert.DoesNotContain(2, new BpeTokenizer(vocabulary).Encode("</s>"));
    }

    [Theory]
    [InlineData("I'm we'll 'tis it's", "I|'m| we|'ll| '|tis| it|'s")]
    [InlineData("a  b", "a| | b")]
    [InlineData("a   \n\tb", "a|   \n|\t|b")]
    [InlineData("  x", " | x")]
    [InlineData("x  ", "x|  ")]
    [InlineData("\n\n\nx", "\n\n|\n|x")]
    [InlineData("abc123 45!? ...", "abc|123| 45|!?| ...")]
    [InlineData("naïve ½ \ud835\udc00\ud835\udc01\ud83d\ude00z", "naïve| ½| \ud835\udc00\ud835\udc01|\ud83d\ude00|z")]
    [InlineData("a\u00a0b \u3000c", "a|\u00a0|b| |\u3000|c")]
    public void Text_is_cut_as_gpt2s_pattern_cuts_it(string text, string pieces)
    {
        List<string> cut = [];
        for (var rest = text; rest.Length > 0; rest = rest[cut[^1].Length..]) cut.Add(rest[..PreTokenizer.Next(rest)]);
        Assert.Equal(pieces.Split('|'), cut);
    }

    [Fact]
    public void Any_text_survives_encoding_and_decoding()
    {
        var tokenizer = new BpeTokenizer(OptVocabulary.Gpt2);
        Prop.ForAll(ArbMap.Default.ArbFor<string>(), text =>
        {
            var valid = Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text ?? ""));
            return tokenizer.Decode(tokenizer.Encode(valid)) == valid;
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void Long_pieces_merge_as_short_ones_do()
    {
        var vocabulary = OptVocabulary.Gpt2;
        var random = new Random(7);
        for (var trial = 0; trial < 300; trial++)
        {
            var symbols = Enumerable.Range(0, random.Next(2, 33)).Select(_ => vocabulary.ByteIds[" the-an"[random.Next(7)]]).ToArray();
            Assert.Equal(new BpeTokenizer(vocabulary).MergeShort([.. symbols]), LongMerge.Run([.. symbols], vocabulary));
        }
    }

    [Fact]
    public void A_page_of_dashes_takes_no_time()
    {
        var tokenizer = new BpeTokenizer(OptVocabulary.Gpt2);
        Assert.Equal(200_000, tokenizer.Decode(tokenizer.Encode(new string('-', 200_000))).Length);
    }
}
